#include "api/evaluate.h"

#include <algorithm>
#include <cmath>

namespace linnet {

Result<Evaluation> evaluate(Classifier& classifier, const data::Dataset& dataset, std::size_t limit,
                            const EvaluationProgress& progress) {
  if (!dataset.labelled())
    return fail(
        "{}: says no class for its pictures; sort them into one folder a class, or add a labels.csv with the "
        "columns file and class",
        dataset.name);
  Evaluation result{data::Tally(classifier.classes()), {}};
  const std::size_t size = dataset.items.size();
  const std::size_t count = limit > 0 ? std::min(limit, size) : size;
  for (std::size_t i = 0; i < count; ++i) {
    const data::Item& item = dataset.items[i * size / count];
    LINNET_TRY(const image::Image picture, data::load(item));
    LINNET_TRY(const AlignedVector<float> input, classifier.prepare(picture));
    LINNET_TRY(const AlignedVector<float> logits, classifier.logits(1, input));
    for (const float logit : logits)
      if (!std::isfinite(logit))
        return fail(
            "{}: the model's scores are not finite: its weights are damaged, or --mean and --std do not fit "
            "them",
            item.name);
    const int label = *item.label;
    const int predicted = result.tally.add(logits, label);
    if (predicted != label)
      result.misses.push_back(
          {item.name, label, predicted,
           double{logits[static_cast<std::size_t>(predicted)]} - logits[static_cast<std::size_t>(label)]});
    if (progress) progress(i + 1, count);
  }
  return result;
}

}  // namespace linnet
