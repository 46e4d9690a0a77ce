#include "qdq/error.h"

namespace qdq {

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::io: return 1;
    case ErrorCode::bad_file: return 3;
    case ErrorCode::unsupported_op: return 4;
    case ErrorCode::internal: return 5;
  }
  return 5;
}

}  // namespace qdq
