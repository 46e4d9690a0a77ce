#include "qdq/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "formats/archive/mapped_file.h"
#include "formats/tensors/tensor_files.h"
#include "qdq/error.h"
#include "qdq/graph_text.h"
#include "support/temporary_folder.h"

namespace qdq {
namespace {

Program small_program(float weight = 0.5f) {
  Program program = parse_program(R"(
graph(x: f32[s0, 2]) {
  %w: f32[3, 2] = get_attr @w
  %seen_w = call_module @weight(%w)
  %seen_x = call_module @input(%x)
  %linear: f32[s0, 3] = aten.linear.default(%seen_x, %seen_w)
  %seen_linear = call_module @output(%linear)
  %relu: f32[s0, 3] = aten.relu.default(%seen_linear)
  %seen_relu = call_module @relu(%relu)
  return (%seen_relu)
})");
  program.attributes.add(
      {"w", AttributeKind::parameter, Tensor::from<float>({weight, 1, -1, 2, 0, -0.25f}, {3, 2}), true, false, ""});
  return program;
}

// Per-channel bounds of the weight, `activations` elsewhere; output and relu share one observer.
PreparedProgram prepared_program(const ObserverFactory& activations) {
  const auto shared = activations({.dtype = DType::int8});
  const auto weight =
      per_channel_min_max_observer()({.dtype = DType::int8, .qscheme = QScheme::per_channel_symmetric, .ch_axis = 0});
  PreparedProgram prepared(
      small_program(),
      {{"weight", weight}, {"input", activations({.dtype = DType::int8})}, {"output", shared}, {"relu", shared}});
  prepared.set_executor({ExecutorOptions::Kind::reference, 1});
  return prepared;
}

std::vector<Tensor> batch(float first) { return {Tensor::from<float>({first, -1, 2, first * first}, {2, 2})}; }

Statistics after(std::initializer_list<float> batches, const ObserverFactory& activations = min_max_observer()) {
  PreparedProgram prepared = prepared_program(activations);
  for (const float first : batches) prepared.calibrate(batch(first));
  Statistics statistics = collect_statistics(prepared);
  statistics.program = fingerprint(small_program());
  statistics.recipe = R"({"quantizer":"test"})";
  statistics.run = R"({"batch":2})";
  statistics.data = R"({"x":1})";
  statistics.batches = static_cast<std::int64_t>(batches.size());
  statistics.samples = 2 * statistics.batches;
  return statistics;
}

std::string saved(const Statistics& statistics) {
  const TemporaryFolder folder;
  save_statistics(folder / "s.safetensors", statistics);
  const auto file = MappedFile::open(folder / "s.safetensors");
  return std::string(reinterpret_cast<const char*>(file->data()), file->size());
}

template <typename Work>
std::string failure(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Statistics, HoldEachObserverOnceWithItsTargets) {
  const Statistics statistics = after({3});
  ASSERT_EQ(statistics.observers.size(), 3U);
  EXPECT_EQ(statistics.observers[0].targets, std::vector<std::string>{"input"});
  EXPECT_EQ(statistics.observers[1].targets, (std::vector<std::string>{"output", "relu"}));
  EXPECT_EQ(statistics.observers[2].kind, "PerChannelMinMaxObserver");
  EXPECT_EQ(statistics.observers[0].state.find("min_val")->item(), -1);
  EXPECT_EQ(statistics.observers[0].state.find("max_val")->item(), 9);
  EXPECT_EQ(statistics.observers[2].options.qscheme, QScheme::per_channel_symmetric);
}

TEST(Statistics, ReadBackAsWritten) {
  const TemporaryFolder folder;
  Statistics statistics = after({3, 4}, histogram_observer());
  statistics.is_complete = false;
  statistics.shards = {{2, 4}};
  save_statistics(folder / "s.safetensors", statistics);
  const Statistics read = load_statistics(folder / "s.safetensors");
  EXPECT_EQ(read.program, statistics.program);
  EXPECT_EQ(read.batches, 2);
  EXPECT_EQ(read.samples, 4);
  EXPECT_FALSE(read.is_complete);
  EXPECT_EQ(read.shards, statistics.shards);
  EXPECT_EQ(saved(read), saved(statistics));
}

TEST(Statistics, GoOnFromWhatWasSaved) {
  for (const ObserverFactory& kind : {min_max_observer(), moving_average_min_max_observer(), histogram_observer()}) {
    PreparedProgram first = prepared_program(kind);
    first.calibrate(batch(3));
    PreparedProgram second = prepared_program(kind);
    apply_statistics(second, collect_statistics(first));
    second.calibrate(batch(-7));
    Statistics resumed = after({}, kind);
    resumed.observers = collect_statistics(second).observers;
    Statistics whole = after({3, -7}, kind);
    whole.batches = whole.samples = 0;
    EXPECT_EQ(saved(resumed), saved(whole)) << kind.kind();
  }
}

TEST(Statistics, HaveOneZero) {
  PreparedProgram prepared = prepared_program(min_max_observer());
  prepared.calibrate({Tensor::from<float>({-0.0f, -0.0f}, {1, 2})});
  const Statistics statistics = collect_statistics(prepared);
  EXPECT_FALSE(std::signbit(statistics.observers[0].state.find("min_val")->item()));
}

TEST(Statistics, OfAnotherProgramAreRefused) {
  PreparedProgram prepared = prepared_program(min_max_observer());
  Statistics statistics = after({3}, moving_average_min_max_observer());
  EXPECT_EQ(failure([&] { apply_statistics(prepared, statistics); }),
            "[convert] observer 'input': the program has a MinMaxObserver, the statistics are of a "
            "MovingAverageMinMaxObserver");
  statistics = after({3});
  statistics.observers[2].state.buffers[1].second = Tensor::from<float>({0, 0}, {2});
  statistics.observers[2].state.buffers[2].second = Tensor::from<float>({1, 1}, {2});
  EXPECT_EQ(failure([&] { apply_statistics(prepared, statistics); }),
            "[convert] observer 'weight': 3 channels expected, found 2");
  statistics.observers[1].targets = {"output"};
  EXPECT_EQ(failure([&] { apply_statistics(prepared, statistics); }),
            "[convert] the program has an observer at output, relu, the statistics have one at output");
  statistics.observers.pop_back();
  EXPECT_EQ(failure([&] { apply_statistics(prepared, statistics); }),
            "[convert] the program has 3 observers, the statistics are those of 2");
}

TEST(Fingerprint, ChangesWithGraphAndWeights) {
  const std::string one = fingerprint(small_program());
  EXPECT_EQ(one.size(), 5U + 32U);
  EXPECT_EQ(fingerprint(small_program()), one);
  EXPECT_NE(fingerprint(small_program(0.25f)), one);
  Program other = small_program();
  other.graph().find("relu")->set_target("aten.relu6.default");
  EXPECT_NE(fingerprint(other), one);
}

TEST(Fingerprint, OfTensorsChangesWithSizesAndElements) {
  const auto of = [](const Tensor& tensor) { return fingerprint(std::span(&tensor, 1)); };
  const std::string one = of(Tensor::from<float>({1, 2}, {2}));
  EXPECT_EQ(of(Tensor::from<float>({1, 2}, {2})), one);
  EXPECT_NE(of(Tensor::from<float>({1, 2}, {1, 2})), one);
  EXPECT_NE(of(Tensor::from<float>({1, 3}, {2})), one);
}

// ------------------------------------------------------------------------------------------------- merging

Statistics shard(std::int64_t number, std::initializer_list<float> batches) {
  Statistics statistics = after(batches);
  statistics.shards = {{number, 3}};
  return statistics;
}

Statistics merged(std::vector<NamedStatistics> parts) { return merge_statistics(parts); }

std::string merge_failure(const Statistics& a, const Statistics& b) {
  return failure([&] { merged({{"a", a}, {"b", b}}); });
}

TEST(Merge, OfAllShardsIsTheWholeRunInAnyOrder) {
  const Statistics one = shard(1, {3, -6}), two = shard(2, {0.5f}), three = shard(3, {7});
  const Statistics whole = after({3, 0.5f, 7, -6});
  EXPECT_EQ(saved(merged({{"1", one}, {"2", two}, {"3", three}})), saved(whole));
  EXPECT_EQ(saved(merged({{"3", three}, {"1", one}, {"2", two}})), saved(whole));
  const Statistics part = merged({{"3", three}, {"1", one}});
  EXPECT_EQ(part.shards, (std::vector<Shard>{{1, 3}, {3, 3}}));
  EXPECT_EQ(part.samples, 6);
  EXPECT_EQ(saved(merged({{"2", two}, {"rest", part}})), saved(whole));
}

TEST(Merge, OfOtherDataAddsUp) {
  Statistics other = after({9});
  other.data = R"({"y":2})";
  const Statistics both = merged({{"a", after({3})}, {"b", other}});
  EXPECT_EQ(both.data, R"([{"x":1},{"y":2}])");
  EXPECT_EQ(both.samples, 4);
  EXPECT_EQ(both.observers[0].state.find("max_val")->item(), 81);
}

TEST(Merge, RefusesWhatDoesNotBelongTogether) {
  const Statistics one = shard(1, {3});
  EXPECT_EQ(merge_failure(one, one), "[merge] a and b cannot be merged: both have shard 1/3");
  EXPECT_EQ(merge_failure(after({3}), after({4})), "[merge] a and b cannot be merged: both have seen the same data");
  Statistics other = shard(2, {3});
  other.shards = {{2, 4}};
  EXPECT_EQ(merge_failure(one, other), "[merge] a and b cannot be merged: the data was cut into 3 shards and into 4");
  other = shard(2, {3});
  other.program = "xxh3:0";
  EXPECT_EQ(merge_failure(one, other), "[merge] a and b cannot be merged: they are of different programs");
  other = shard(2, {3});
  other.is_complete = false;
  EXPECT_EQ(merge_failure(one, other), "[merge] b: calibration stopped after 2 samples; let it end first");
}

TEST(Merge, RefusesObserversThatDependOnTheOrder) {
  Statistics one = after({3}, moving_average_min_max_observer()), two = one;
  one.shards = {{1, 2}};
  two.shards = {{2, 2}};
  EXPECT_EQ(merge_failure(one, two),
            "[merge] the observers of kind MovingAverageMinMaxObserver (such as 'input') cannot be merged: their state "
            "depends on the order of the values. Calibrate in one run, with several workers in place of shards, or "
            "with an observer that can be merged (--observer MinMaxObserver)");
}

TEST(Shard, IsReadStrictly) {
  EXPECT_EQ(shard_from_text("2/4"), (Shard{2, 4}));
  EXPECT_EQ(to_string(Shard{2, 4}), "2/4");
  for (const char* text : {"", "1", "0/4", "5/4", "1/4x", "-1/4", "1/", "/4", "1/9999999"})
    EXPECT_THROW(shard_from_text(text), InvalidArgumentError) << text;
}

// ------------------------------------------------------------------------------------------- hostile files

class HostileStatistics : public ::testing::Test {
 protected:
  std::string failure_with(const std::string& key, const std::string& value) {
    SafetensorsFile file = read();
    for (auto& [name, text] : file.metadata)
      if (name == key) text = value;
    return failure_of(file);
  }
  SafetensorsFile read() {
    save_statistics(path_, after({3}));
    return read_safetensors(path_);
  }
  std::string failure_of(const SafetensorsFile& file) {
    write_safetensors(path_, file);
    const std::string text = failure([&] { load_statistics(path_); });
    const std::string prefix = "[load] " + path_.string() + ": in __metadata__";
    EXPECT_TRUE(text.starts_with(prefix)) << text;
    return text.substr(std::min(prefix.size(), text.size()));
  }
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "s.safetensors";
};

TEST_F(HostileStatistics, AreNamedByFileAndKey) {
  EXPECT_EQ(failure_with("version", "2"), ": expected version 1, found '2'");
  EXPECT_EQ(failure_with("format", "pt"), ": expected the format 'qdq.statistics', found 'pt'");
  EXPECT_TRUE(failure_with("recipe", "{").starts_with(".recipe: JSON syntax error at byte 1: "));
  EXPECT_EQ(failure_with("progress", R"({"samples":-1})"), ".progress.samples: expected a number from 0, found -1");
  EXPECT_EQ(failure_with("progress", R"({"samples":1,"batches":1,"is_complete":true,"shards":["2/2","1/2"]})"),
            ".progress: expected shards of one count in ascending order");
  EXPECT_EQ(failure_with("progress", R"({"samples":1,"batches":1,"is_complete":true,"shards":["2"]})"),
            ".progress.shards[0]: a shard such as 1/4 expected, found '2'");
  EXPECT_EQ(failure_with("observers", "[]"), ": the tensor 'input.eps' belongs to no observer");
  EXPECT_EQ(failure_with("observers", R"([{"targets":[]}])"), ".observers[0].targets: expected one name at least");
  EXPECT_EQ(failure_with("observers", R"([{"targets":["a","a"]}])"),
            ".observers[0].targets[1]: 'a' has an observer already");
  EXPECT_EQ(failure_with("observers", R"([{"targets":["a"],"kind":"K","options":{"dtype":"float3"}}])"),
            ".observers[0].options.dtype: unknown dtype 'float3'");
  EXPECT_EQ(failure_with("observers", R"([{"targets":["a"],"kind":"K","options":{"colour":1}}])"),
            ".observers[0].options: unknown option 'colour'");
  SafetensorsFile file = read();
  file.metadata = {{"made_by", "somebody"}};
  EXPECT_EQ(failure_of(file), ": no 'format': the file does not hold calibration statistics");
}

TEST_F(HostileStatistics, OfUnknownKindsAreNotMerged) {
  Statistics one = shard(1, {3}), two = shard(2, {3});
  one.observers[0].kind = two.observers[0].kind = "Spy";
  EXPECT_TRUE(merge_failure(one, two).starts_with("[merge] a: observer 'input': no observer is called 'Spy'"));
  one = shard(1, {3});
  one.observers[0].state.buffers[1].second = Tensor::from<float>({1, 2}, {2});
  EXPECT_TRUE(merge_failure(one, shard(2, {3})).starts_with("[merge] a: observer 'input': [observe] MinMaxObserver: "));
}

}  // namespace
}  // namespace qdq
