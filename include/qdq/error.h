#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

namespace qdq {

// The closed list of what can go wrong. Each code belongs to one exception class below.
enum class ErrorCode {
  invalid_argument,  // the caller asked for something that cannot be done
  bad_file,          // a file is damaged, hostile or of a version that we do not read
  unsupported_op,    // an operator has no kernel
  io,                // the operating system refused (missing file, full disk)
  internal,          // a promise inside the library was broken: our bug
};

// The process exit status that the command line maps `code` to (0 ok, 1 failed, 2 usage, 3 bad file, 4 unsupported op,
// 5 our bug).
int exit_code(ErrorCode code);

// Every exception thrown by the library. The message says what was expected, what was found and where.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

class InvalidArgumentError : public Error {
 public:
  explicit InvalidArgumentError(const std::string& message) : Error(ErrorCode::invalid_argument, message) {}
};

class FormatError : public Error {
 public:
  explicit FormatError(const std::string& message) : Error(ErrorCode::bad_file, message) {}
};

class UnsupportedOpError : public Error {
 public:
  explicit UnsupportedOpError(const std::string& message) : Error(ErrorCode::unsupported_op, message) {}
};

class IoError : public Error {
 public:
  explicit IoError(const std::string& message) : Error(ErrorCode::io, message) {}
};

class InternalError : public Error {
 public:
  explicit InternalError(const std::string& message)
      : Error(ErrorCode::internal, message + " (this is a bug in qdq, please report it)") {}
};

// Why a pattern did not match or a rule did not apply. Converts to true when there is a reason.
class NoMatch {
 public:
  NoMatch() = default;
  explicit NoMatch(std::string reason) : reason_(std::move(reason)) {}
  explicit operator bool() const { return !reason_.empty(); }
  const std::string& reason() const { return reason_; }

 private:
  std::string reason_;
};

}  // namespace qdq
