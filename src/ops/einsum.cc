#include "ops/einsum.h"

#include <algorithm>
#include <map>

namespace qdq {
namespace {

// A letter's character, or -1, -2, ... for the last, last but one, ... dimension of "...".
using Label = int;

// Letters and "..." of one term; `rank` dimensions of "...".
std::vector<Label> labels_of(const Call& call, std::string_view term, std::int64_t rank) {
  std::vector<Label> labels;
  bool has_ellipsis = false;
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (term.substr(i).starts_with("...") && !has_ellipsis) {
      has_ellipsis = true;
      for (std::int64_t k = rank; k > 0; --k) labels.push_back(static_cast<Label>(-k));
      i += 2;
    } else if ((term[i] >= 'a' && term[i] <= 'z') || (term[i] >= 'A' && term[i] <= 'Z')) {
      labels.push_back(term[i]);
    } else {
      call.fail("equation '" + call.string("equation") + "' is not understood at '" + std::string(term.substr(i)) +
                "'");
    }
  }
  return labels;
}

std::vector<std::string> split_terms(std::string_view text) {
  std::vector<std::string> terms(1);
  for (const char c : text) {
    if (c == ',')
      terms.emplace_back();
    else
      terms.back() += c;
  }
  return terms;
}

// What the result has when the equation does not say.
std::vector<Label> implied_result(const std::vector<std::vector<Label>>& operands) {
  std::map<Label, int> count;
  for (const auto& labels : operands)
    for (const Label label : labels) ++count[label];
  std::vector<Label> result;  // the negative labels of "..." come first, in their order
  for (const auto& [label, times] : count)
    if (label < 0 || times == 1) result.push_back(label);
  return result;
}

}  // namespace

EinsumPlan plan_einsum(const Call& call, const std::vector<Tensor>& tensors) {
  std::string equation = call.string("equation");
  std::erase(equation, ' ');
  const std::size_t arrow = equation.find("->");
  const std::vector<std::string> terms = split_terms(std::string_view(equation).substr(0, arrow));
  if (terms.size() != tensors.size() || tensors.empty())
    call.fail("equation '" + equation + "' names " + std::to_string(terms.size()) + " operands, found " +
              std::to_string(tensors.size()));

  std::vector<std::vector<Label>> operands;
  std::int64_t ellipsis = 0;
  for (std::size_t k = 0; k < terms.size(); ++k) {
    const bool open = terms[k].find("...") != std::string::npos;
    const std::int64_t letters = static_cast<std::int64_t>(terms[k].size()) - (open ? 3 : 0);
    const std::int64_t rest = tensors[k].dim() - letters;
    if (rest < 0 || (!open && rest > 0))
      call.fail("operand " + std::to_string(k) + " of equation '" + equation + "' has sizes " +
                to_string(tensors[k].sizes()));
    operands.push_back(labels_of(call, terms[k], rest));
    ellipsis = std::max(ellipsis, rest);
  }

  std::vector<Label> loops = arrow == std::string::npos
                                 ? implied_result(operands)
                                 : labels_of(call, std::string_view(equation).substr(arrow + 2), ellipsis);
  EinsumPlan plan;
  plan.result_rank = loops.size();
  std::map<Label, std::size_t> position;
  for (std::size_t i = 0; i < loops.size(); ++i)
    if (!position.emplace(loops[i], i).second) call.fail("equation '" + equation + "' repeats a label in its result");
  for (const auto& labels : operands)
    for (const Label label : labels)
      if (position.emplace(label, loops.size()).second) loops.push_back(label);

  plan.sizes.assign(loops.size(), -1);
  for (std::size_t k = 0; k < operands.size(); ++k)
    for (std::size_t d = 0; d < operands[k].size(); ++d) {
      std::int64_t& size = plan.sizes[position.at(operands[k][d])];
      const std::int64_t found = tensors[k].sizes()[d];
      if (size == -1 || size == 1)
        size = found;
      else if (found != size && found != 1)
        call.fail("equation '" + equation + "': operand " + std::to_string(k) + " has size " + std::to_string(found) +
                  " in dimension " + std::to_string(d) + ", another operand " + std::to_string(size));
    }
  for (const std::int64_t size : plan.sizes)
    if (size == -1) call.fail("equation '" + equation + "' has a label in its result only");
  for (std::size_t k = 0; k < operands.size(); ++k) {
    Shape strides(loops.size(), 0);
    for (std::size_t d = 0; d < operands[k].size(); ++d)
      if (tensors[k].sizes()[d] != 1) strides[position.at(operands[k][d])] += tensors[k].strides()[d];
    plan.strides.push_back(std::move(strides));
  }
  return plan;
}

}  // namespace qdq
