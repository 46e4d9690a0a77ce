#include "prepare/sharing.h"

#include <map>
#include <numeric>
#include <tuple>

#include "prepare/derived_observer.h"
#include "prepare/mistake.h"

namespace qdq {
namespace {

class DisjointSets {
 public:
  explicit DisjointSets(std::size_t n) : parent_(n) { std::iota(parent_.begin(), parent_.end(), std::size_t{0}); }
  std::size_t find(std::size_t x) {
    while (parent_[x] != x) x = parent_[x] = parent_[parent_[x]];
    return x;
  }
  void unite(std::size_t a, std::size_t b) {
    a = find(a);
    b = find(b);
    parent_[std::max(a, b)] = std::min(a, b);  // the root is the group's first place
  }

 private:
  std::vector<std::size_t> parent_;
};

// What must agree for two specs to share one observer implicitly. The observer's constructor is not compared, as in
// PyTorch: the first place decides.
using Config = std::tuple<DType, bool, std::optional<std::int64_t>, std::optional<std::int64_t>, std::optional<QScheme>,
                          bool, std::optional<std::int64_t>, std::optional<double>, std::optional<std::int64_t>>;

std::optional<Config> config_of(const QuantizationSpecBase& spec) {
  constexpr bool kHasChannelAxis = true;
  if (const auto* s = std::get_if<QuantizationSpec>(&spec))
    return Config{s->dtype, s->is_dynamic, s->quant_min, s->quant_max, s->qscheme, kHasChannelAxis, s->ch_axis, {}, {}};
  if (const auto* s = std::get_if<DerivedQuantizationSpec>(&spec))
    return Config{s->dtype, s->is_dynamic, s->quant_min, s->quant_max, s->qscheme, kHasChannelAxis, s->ch_axis, {}, {}};
  if (const auto* s = std::get_if<FixedQParamsQuantizationSpec>(&spec))
    return Config{s->dtype, s->is_dynamic, s->quant_min, s->quant_max, s->qscheme, !kHasChannelAxis,
                  {},       s->scale,      s->zero_point};
  return std::nullopt;
}

void share_same_tensors(const AnnotatedPlaces& places, DisjointSets& groups) {
  // Places of one tensor with one configuration. One consumer that allows sharing draws in all the others.
  struct Bucket {
    std::vector<std::size_t> members;
    bool sharing_allowed = false;
  };
  std::unordered_map<const Node*, std::map<Config, Bucket>> tensors;
  for (std::size_t i = 0; i < places.all().size(); ++i) {
    const auto config = config_of(places.resolved(i));
    if (!config) continue;
    const EdgeOrNode& place = places.all()[i].place;
    Bucket& bucket = tensors[place.producer][*config];
    bucket.members.push_back(i);
    bucket.sharing_allowed |= place.is_edge() && place.consumer->annotation->allow_implicit_sharing;
  }
  for (auto& [producer, buckets] : tensors)
    for (auto& [config, bucket] : buckets)
      if (bucket.sharing_allowed)
        for (const std::size_t member : bucket.members) groups.unite(bucket.members.front(), member);
}

class ObserverBuilder {
 public:
  ObserverBuilder(const AnnotatedPlaces& places, const std::vector<std::size_t>& groups)
      : places_(places), groups_(groups), state_(places.all().size(), State::fresh), built_(places.all().size()) {}

  const std::shared_ptr<Observer>& observer_of(std::size_t place) {
    const std::size_t group = groups_[place];
    if (state_[group] == State::open)
      refuse(places_.all()[place].place,
             {places_.all()[place].place.describe(), "its DerivedQuantizationSpec depends on itself",
              "derived_from names places whose parameters are known before",
              "derive from places with a QuantizationSpec, the input and the weight for a bias"});
    if (state_[group] == State::fresh) {
      state_[group] = State::open;
      built_[group] = build(group);
      state_[group] = State::done;
    }
    return built_[group];
  }

 private:
  enum class State : std::uint8_t { fresh, open, done };

  std::shared_ptr<Observer> build(std::size_t place) {
    const QuantizationSpecBase& spec = places_.resolved(place);
    if (const auto* plain = std::get_if<QuantizationSpec>(&spec)) {
      ObserverOptions options;
      options.dtype = plain->dtype;
      options.quant_min = plain->quant_min;
      options.quant_max = plain->quant_max;
      options.qscheme = plain->qscheme;
      options.is_dynamic = plain->is_dynamic;
      const bool per_channel = plain->qscheme && is_per_channel(*plain->qscheme);
      if (per_channel || plain->observer_or_fake_quant_ctr.kind().find("PerChannel") != std::string::npos)
        options.ch_axis = plain->ch_axis;
      return build_plain(places_.all()[place].place, *plain, options);
    }
    if (const auto* fixed = std::get_if<FixedQParamsQuantizationSpec>(&spec)) {
      ObserverOptions options;
      options.dtype = fixed->dtype;
      options.scale = fixed->scale;
      options.zero_point = fixed->zero_point;
      options.quant_min = fixed->quant_min;
      options.quant_max = fixed->quant_max;
      options.qscheme = fixed->qscheme;
      options.is_dynamic = fixed->is_dynamic;
      return fixed_qparams_observer()(options);
    }
    if (const auto* derived = std::get_if<DerivedQuantizationSpec>(&spec)) {
      std::vector<std::shared_ptr<Observer>> sources;
      for (const EdgeOrNode& from : derived->derived_from) {
        const auto index = places_.index_of(from);
        if (!index || !observer_of(*index))
          refuse(places_.all()[place].place,
                 {places_.all()[place].place.describe(),
                  "its DerivedQuantizationSpec is derived from " + from.describe() + ", which has no observer",
                  "derived_from names places that have a spec", "give that place a spec, or derive from another"});
        sources.push_back(observer_of(*index));
      }
      return std::make_shared<DerivedObserver>(*derived, std::move(sources));
    }
    return nullptr;
  }

  // The observer itself refuses options that it cannot follow; where that happened only we know.
  static std::shared_ptr<Observer> build_plain(const EdgeOrNode& place, const QuantizationSpec& spec,
                                               const ObserverOptions& options) {
    try {
      return spec.observer_or_fake_quant_ctr(options);
    } catch (const InvalidArgumentError& error) {
      refuse(place, {place.describe(), error.what(), "an observer gets the dtype, bounds and qscheme of its spec",
                     "choose an observer for that qscheme (a PerChannel one for per_channel), or change the spec"});
    }
  }

  const AnnotatedPlaces& places_;
  const std::vector<std::size_t>& groups_;
  std::vector<State> state_;
  std::vector<std::shared_ptr<Observer>> built_;
};

}  // namespace

std::vector<std::size_t> sharing_groups(const AnnotatedPlaces& places) {
  DisjointSets groups(places.all().size());
  for (std::size_t i = 0; i < places.all().size(); ++i)
    if (std::holds_alternative<SharedQuantizationSpec>(*places.all()[i].spec)) groups.unite(places.shared_target(i), i);
  share_same_tensors(places, groups);
  std::vector<std::size_t> result(places.all().size());
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = groups.find(i);
  return result;
}

ObserverMap build_observers(const AnnotatedPlaces& places) {
  const std::vector<std::size_t> groups = sharing_groups(places);
  ObserverBuilder builder(places, groups);
  ObserverMap observers;
  observers.reserve(places.all().size());
  for (std::size_t i = 0; i < places.all().size(); ++i)
    observers.emplace_back(places.all()[i].place, builder.observer_of(i));
  return observers;
}

}  // namespace qdq
