#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "qdq/program.h"

namespace qdq {

// A pass changes a program and returns how many changes it made.
using PassFn = std::function<int(Program&)>;

struct PassOptions {
  std::vector<std::string> disabled;    // --disable-pass; "fuse-conv-bn" and "fuse_conv_bn" are the same name
  std::vector<std::string> dump_after;  // --dump-after; "all" for every pass
  // Receives the program after each pass that `dump_after` names. The core does not print: the caller decides where.
  std::function<void(std::string_view pass, const Program&)> dump;
#ifdef NDEBUG
  bool verify = false;
#else
  bool verify = true;  // verify the program before the first pass and after each
#endif
};

// What one pass did.
struct PassReport {
  std::string name;
  int changed = 0;
  double seconds = 0;
  bool disabled = false;  // skipped on request
};

// Runs passes in the order in which they were added:
//
//     PassManager passes(options);
//     passes.add("remove_identity", remove_identity);
//     passes.add("fuse_conv_bn", fuse_conv_bn);
//     auto report = passes.run(program);
//
// An error in a pass keeps its class and says which pass it was: "[fuse_conv_bn] 'conv' (aten.conv2d.default): ...".
class PassManager {
 public:
  explicit PassManager(PassOptions options = {});

  PassManager& add(std::string name, PassFn fn);
  PassManager& add(std::string name, int (*fn)(Graph&));
  // Names that the options may contain although they belong to another pipeline, which shares these options.
  PassManager& allow(std::vector<std::string> names);
  // Throws InvalidArgumentError when the options name a pass that was neither added nor allowed.
  std::vector<PassReport> run(Program& program) const;
  std::vector<std::string> names() const;

 private:
  void check_names() const;
  PassReport run_one(const std::string& name, const PassFn& fn, Program& program) const;

  PassOptions options_;
  std::vector<std::string> allowed_;
  std::vector<std::pair<std::string, PassFn>> passes_;
};

// A pass that runs by its name on any program, outside of a pipeline: `qdq pass`, golden tests.
struct NamedPass {
  std::string_view name;         // "fuse_conv_bn"
  std::string_view description;  // one line, for people
  PassFn run;
};
// In the order of their names.
const std::vector<NamedPass>& all_passes();
// Null when there is no such pass. '-' and '_' are the same.
const NamedPass* find_pass(std::string_view name);

// One spelling for pass names: '-' becomes '_'.
std::string pass_name(std::string_view name);

// For people: one line for each pass, name, changes and milliseconds in columns.
std::string to_text(const std::vector<PassReport>& report);

}  // namespace qdq
