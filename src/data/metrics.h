// How good a classifier is, from its scores.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace linnet::data {

/// The k classes of the highest scores, the highest first; of equal scores the lower index first, and NaN
/// below everything. Classes below `first` do not take part (background; see first_class()). Fewer than k
/// where there are fewer. Indices are those of `scores`.
std::vector<int> top_k(std::span<const float> scores, int k, int first = 0);

/// Where `label` ranks among the scores, 0 for the best, by the same rule; `label` >= first.
int rank_of(std::span<const float> scores, int label, int first = 0);

/// A share with the interval that holds the true one in 95 of 100 cases.
struct Interval {
  double low = 0;
  double high = 1;
};

/// Wilson's score interval for `right` of `n`, 0 <= right <= n; [0, 1] for n = 0. (Wilson, "Probable
/// inference", 1927)
Interval wilson_95(std::int64_t right, std::int64_t n);

/// Counts over a data set.
class Tally {
 public:
  /// Of a model with `classes` outputs; those before first_class(classes) never win.
  explicit Tally(int classes);

  /// scores: one a class. label: the true class, in [first_class(classes), classes). Returns the class that
  /// won.
  int add(std::span<const float> scores, int label);

  std::int64_t images() const { return images_; }
  std::int64_t right_first() const { return right_first_; }  ///< the best class is the true one
  std::int64_t right_in_5() const { return right_in_5_; }    ///< the true class is among the best five
  double top1() const { return share(right_first_); }        ///< 0 … 1; 0 for no images
  double top5() const { return share(right_in_5_); }
  /// Images of class `label` that were taken for class `predicted`.
  std::int64_t confused(int label, int predicted) const;

  /// A class that was taken for another, and how often.
  struct Confusion {
    int label = 0;
    int predicted = 0;
    std::int64_t images = 0;
    bool operator==(const Confusion&) const = default;
  };
  /// The n most frequent confusions; ties in the order of the classes.
  std::vector<Confusion> worst(std::size_t n) const;

 private:
  double share(std::int64_t n) const {
    return images_ == 0 ? 0 : static_cast<double>(n) / static_cast<double>(images_);
  }

  int classes_;
  std::int64_t images_ = 0;
  std::int64_t right_first_ = 0;
  std::int64_t right_in_5_ = 0;
  std::map<std::pair<int, int>, std::int64_t>
      counts_;  ///< by label and predicted class; few of all pairs occur
};

}  // namespace linnet::data
