// How often a model is right on labelled pictures.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/classifier.h"
#include "data/dataset.h"
#include "data/metrics.h"

namespace linnet {

/// A picture whose best class is not its own.
struct Miss {
  std::string picture;
  int label = 0;      ///< the true class, the model's index
  int predicted = 0;  ///< the best one
  double margin = 0;  ///< the best logit minus the true class's, >= 0
};

struct Evaluation {
  data::Tally tally;
  std::vector<Miss> misses;  ///< in the order of the data
};

/// Told after each picture.
using EvaluationProgress = std::function<void(std::size_t done, std::size_t total)>;

/// Runs every item, or `limit` of them spread evenly over the data where limit is above 0. Errors: items
/// without a class, a picture that cannot be read, scores that are not finite.
Result<Evaluation> evaluate(Classifier& classifier, const data::Dataset& dataset, std::size_t limit,
                            const EvaluationProgress& progress = {});

}  // namespace linnet
