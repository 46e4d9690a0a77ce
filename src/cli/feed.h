#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/batches.h"
#include "cli/data_options.h"
#include "qdq/statistics.h"

namespace qdq::cli {

// The batches that a calibration sees, in order: all of the data, or those of its shard. They are numbered from 0.
class Feed {
 public:
  virtual ~Feed() = default;
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  // How many batches and samples there are; nothing for a stream, of which only the end tells.
  virtual std::optional<std::int64_t> batches() const = 0;
  virtual std::optional<std::int64_t> samples() const = 0;
  // Samples in a batch; of a stream, one that it has handed out. May be called while another thread is in next().
  virtual std::int64_t samples_in(std::int64_t batch) const = 0;
  // How many batches it has handed out, or was told to skip.
  virtual std::int64_t position() const = 0;
  // The next batch; nothing after the last one. Errors are those of reading the data.
  virtual std::optional<std::vector<Tensor>> next() = 0;
  virtual bool is_at_end() const = 0;
  // Goes on at batch `batch`. Throws InternalError for a stream, which cannot.
  virtual void start_at(std::int64_t batch) = 0;
  // Samples in a call, 0 for those that come as they are: Statistics::run says so.
  virtual std::int64_t batch_size() const = 0;
  // A text that tells this data from other data, as far as sizes and a few samples can. Of a stream, what it was so far.
  virtual std::string identity() const = 0;

  bool is_stream() const { return !batches().has_value(); }
  std::int64_t samples_between(std::int64_t begin, std::int64_t end) const;

 protected:
  Feed() = default;
};

// Throws UsageError or InvalidArgumentError for data that does not fit the program or is less than one batch of `shard`. A
// last batch that the program cannot take is left out, with a note. The stream of `data` "-" is
// standard input: .npy files, one for each input of each batch.
std::unique_ptr<Feed> open_feed(const Program& program, const DataOptions& data, const RunOptions& run,
                                const Shard& shard = {});

}  // namespace qdq::cli
