#include "qdq/pass_manager.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "graph/verify.h"

namespace qdq {
namespace {

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& n) { return pass_name(n) == name; });
}

// Throws the error in flight again, of the same class, with the pass in front.
[[noreturn]] void rethrow_with_pass(const std::string& pass, const Error& error) {
  std::string message = error.what();
  const std::string prefix = "[" + pass + "] ";
  if (!message.starts_with(prefix)) message.insert(0, prefix);
  switch (error.code()) {
    case ErrorCode::invalid_argument: throw InvalidArgumentError(message);
    case ErrorCode::bad_file: throw FormatError(message);
    case ErrorCode::unsupported_op: throw UnsupportedOpError(message);
    case ErrorCode::io: throw IoError(message);
    case ErrorCode::internal: break;
  }
  // InternalError asks for a report already, once is enough.
  const auto request = message.find(" (this is a bug");
  throw InternalError(message.substr(0, request));
}

}  // namespace

std::string pass_name(std::string_view name) {
  std::string result(name);
  std::replace(result.begin(), result.end(), '-', '_');
  return result;
}

PassManager::PassManager(PassOptions options) : options_(std::move(options)) {}

PassManager& PassManager::add(std::string name, PassFn fn) {
  passes_.emplace_back(pass_name(name), std::move(fn));
  return *this;
}

PassManager& PassManager::add(std::string name, int (*fn)(Graph&)) {
  return add(std::move(name), [fn](Program& program) { return fn(program.graph()); });
}

std::vector<std::string> PassManager::names() const {
  std::vector<std::string> result;
  for (const auto& [name, fn] : passes_) result.push_back(name);
  return result;
}

PassManager& PassManager::allow(std::vector<std::string> names) {
  allowed_.insert(allowed_.end(), names.begin(), names.end());
  return *this;
}

void PassManager::check_names() const {
  auto known = names();
  known.insert(known.end(), allowed_.begin(), allowed_.end());
  const auto check = [&](const std::string& wanted, std::string_view option) {
    if (contains(known, pass_name(wanted))) return;
    std::string list;
    for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
    throw InvalidArgumentError(std::string(option) + ": expected one of " + list + "; found '" + wanted + "'");
  };
  for (const std::string& name : options_.disabled) check(name, "disable-pass");
  for (const std::string& name : options_.dump_after)
    if (name != "all") check(name, "dump-after");
}

std::vector<PassReport> PassManager::run(Program& program) const {
  check_names();
  if (options_.verify) verify(program, "loading");
  std::vector<PassReport> report;
  for (const auto& [name, fn] : passes_) {
    if (contains(options_.disabled, name)) {
      report.push_back({name, 0, 0, true});
      continue;
    }
    try {
      report.push_back(run_one(name, fn, program));
    } catch (const Error& error) {
      rethrow_with_pass(name, error);
    }
    if (options_.dump && (contains(options_.dump_after, name) || contains(options_.dump_after, "all")))
      options_.dump(name, program);
  }
  return report;
}

PassReport PassManager::run_one(const std::string& name, const PassFn& fn, Program& program) const {
  const auto start = std::chrono::steady_clock::now();
  const int changed = fn(program);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  if (options_.verify) verify(program, name);
  return {name, changed, elapsed.count(), false};
}

std::string to_text(const std::vector<PassReport>& report) {
  std::size_t width = 4;
  for (const PassReport& pass : report) width = std::max(width, pass.name.size());
  std::string text;
  for (const PassReport& pass : report) {
    char line[64];
    if (pass.disabled)
      std::snprintf(line, sizeof line, "  disabled\n");
    else
      std::snprintf(line, sizeof line, "  %8d  %9.3f ms\n", pass.changed, pass.seconds * 1e3);
    text += pass.name + std::string(width - pass.name.size(), ' ') + line;
  }
  return text;
}

}  // namespace qdq
