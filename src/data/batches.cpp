#include "data/batches.h"

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <map>
#include <mutex>
#include <thread>

#include "data/mixup.h"
#include "data/pictures.h"
#include "data/stream.h"
#include "image/preprocess.h"

namespace linnet::data {
namespace {

using Order = std::shared_ptr<const std::vector<std::uint32_t>>;

/// A batch and what came of preparing it.
struct Slot {
  Batch batch;
  std::vector<std::pair<std::size_t, Error>> bad;  ///< items that could not be read
  bool ready = false;
};

}  // namespace

/// Batches are numbered through all epochs; batch s is prepared in slot s modulo their number.
class Batches::Worker {
 public:
  Worker(Dataset set, BatchOptions options, std::optional<Augmenter> augmenter, std::int64_t per_epoch,
         std::int64_t start)
      : set_(std::move(set)),
        options_(std::move(options)),
        augmenter_(std::move(augmenter)),
        per_epoch_(per_epoch),
        end_(options_.epochs ? *options_.epochs * per_epoch : std::numeric_limits<std::int64_t>::max()),
        pictures_(set_, augmenter_ ? augmenter_->useful_edge() : 0, augmenter_ ? options_.memory : 0),
        reported_(set_.items.size(), false),
        slots_(static_cast<std::size_t>(options_.ahead) + 1),
        to_prepare_(start),
        to_give_(start) {
    for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { work(); });
  }

  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    may_prepare_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  Result<const Batch*> next() {
    std::unique_lock lock(mutex_);
    if (given_) {  // the caller is done with the batch before
      slot(to_give_ - 1).ready = false;
      given_ = false;
      may_prepare_.notify_all();
    }
    if (to_give_ >= end_) return nullptr;
    Slot& mine = slot(to_give_);
    is_ready_.wait(lock, [&] { return mine.ready; });
    ++to_give_;
    given_ = true;
    lock.unlock();

    for (const auto& [item, error] : mine.bad)
      if (!reported_[item]) {
        reported_[item] = true;
        if (options_.report) options_.report(error);
      }
    any_read_ = any_read_ || mine.batch.images > 0;
    if (!any_read_ && (augmenter_ || mine.batch.position.batch + 1 == per_epoch_))
      return fail("{}: none of its {} pictures can be read, such as {}", set_.name, set_.items.size(),
                  mine.bad.front().second.message);
    return &mine.batch;
  }

  BatchPosition position() const { return position_of(to_give_); }
  std::int64_t per_epoch() const { return per_epoch_; }

 private:
  BatchPosition position_of(std::int64_t number) const { return {number / per_epoch_, number % per_epoch_}; }
  Slot& slot(std::int64_t number) { return slots_[static_cast<std::size_t>(number) % slots_.size()]; }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      may_prepare_.wait(lock, [&] {
        // A slot is free again once the caller has come back for the batch after the one that it held.
        const std::int64_t free = to_give_ - (given_ ? 1 : 0) + std::ssize(slots_);
        return stopping_ || (to_prepare_ < end_ && to_prepare_ < free);
      });
      if (stopping_) return;
      const std::int64_t number = to_prepare_++;
      lock.unlock();
      prepare(slot(number), position_of(number));
      lock.lock();
      slot(number).ready = true;
      is_ready_.notify_all();
    }
  }

  /// The order of an epoch's pictures; the last few are kept, for all threads work on one or two of them.
  Order order_of(std::int64_t epoch) {
    const std::lock_guard lock(order_mutex_);
    Order& order = orders_[epoch];
    if (!order) {
      auto items = std::make_shared<std::vector<std::uint32_t>>(set_.items.size());
      for (std::size_t i = 0; i < items->size(); ++i) (*items)[i] = static_cast<std::uint32_t>(i);
      if (augmenter_) shuffle(*items, stream_of(options_.seed, Draws::kShuffle, epoch));
      order = std::move(items);
    }
    const Order result = order;
    while (orders_.size() > 3) orders_.erase(orders_.begin());
    return result;
  }

  void prepare(Slot& s, BatchPosition position) {
    Batch& batch = s.batch;
    batch.position = position;
    batch.labels.clear();
    batch.items.clear();
    s.bad.clear();
    const std::int64_t size = options_.size / options_.parts;
    const auto values = static_cast<std::size_t>(options_.input.size());
    batch.pixels.resize(static_cast<std::size_t>(size) * values);
    const Order order = order_of(position.epoch);
    const auto begin = static_cast<std::size_t>(position.batch * options_.size + options_.part * size);
    const std::size_t count = std::min(static_cast<std::size_t>(size), order->size() - begin);
    for (std::size_t i = 0; i < count; ++i) {
      const std::span<float> output = std::span(batch.pixels).subspan(batch.items.size() * values, values);
      // Where a picture is bad, the next one of the order stands in for it, once around at most.
      const std::size_t tries = augmenter_ ? order->size() : 1;
      for (std::size_t t = 0; t < tries; ++t) {
        const std::size_t item = (*order)[(begin + i + t) % order->size()];
        const Result<void> filled = fill(item, position.epoch, static_cast<std::int64_t>(begin + i), output);
        if (filled) {
          batch.items.push_back(item);
          batch.labels.push_back(*set_.items[item].label);
          break;
        }
        s.bad.emplace_back(item, filled.error());
      }
      if (augmenter_ && batch.items.size() <= i) break;  // there is no good one
    }
    batch.images = static_cast<int>(batch.items.size());
    batch.lambda = 1;
    if (options_.mixup > 0 && batch.images > 0) {
      batch.lambda =
          draw_mixup(options_.mixup, stream_of(options_.seed, Draws::kMixup, position.epoch, position.batch));
      mix(batch.pixels, batch.images, batch.lambda);
    }
  }

  /// `place` is that in the epoch's order: a picture that stands in for another is not shown twice alike.
  Result<void> fill(std::size_t item, std::int64_t epoch, std::int64_t place, std::span<float> output) {
    const Item& shown = set_.items[item];
    if (augmenter_ && !shown.planes.empty()) {
      (*augmenter_)(shown.planes, stream_of(options_.seed, Draws::kPicture, epoch, place), output);
      return {};
    }
    LINNET_TRY(const auto picture, pictures_.get(item));
    if (!augmenter_) return image::preprocess(*picture, options_.preprocessing, options_.input, output);
    (*augmenter_)(*picture, stream_of(options_.seed, Draws::kPicture, epoch, place), output);
    return {};
  }

  const Dataset set_;
  const BatchOptions options_;
  const std::optional<Augmenter> augmenter_;
  const std::int64_t per_epoch_;
  const std::int64_t end_;
  Pictures pictures_;
  std::vector<bool> reported_;
  bool any_read_ = false;

  std::mutex order_mutex_;
  std::map<std::int64_t, Order> orders_;  ///< by epoch

  std::mutex mutex_;  ///< of what follows
  std::condition_variable may_prepare_, is_ready_;
  std::vector<Slot> slots_;
  std::int64_t to_prepare_;  ///< the next number that a thread takes
  std::int64_t to_give_;     ///< the next number that next() gives
  bool given_ = false;       ///< the caller holds number to_give_ - 1
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

Result<std::unique_ptr<Batches>> Batches::make(Dataset set, BatchOptions options, BatchPosition start) {
  if (options.size < 1) return usage("batches of {} pictures make no sense", options.size);
  if (options.part < 0 || options.part >= options.parts || (options.parts > 1 && !options.augmentation))
    return usage("part {} of {} of a batch makes no sense here", options.part, options.parts);
  const int unit = options.mixup > 0 ? 2 * options.parts : options.parts;
  if (options.parts > 1 && options.size % unit != 0)
    return usage("batches of {} pictures cannot be cut into {} parts{}; choose a multiple of {}",
                 options.size, options.parts, options.mixup > 0 ? " of whole mixup pairs" : "", unit);
  if (set.items.empty()) return fail("{}: there are no pictures", set.name);
  if (!set.labelled()) return fail("{}: some pictures have no class, so nothing can be learnt", set.name);
  if (options.mixup < 0 || (options.mixup > 0 && !options.augmentation))
    return usage("mixup with alpha {} makes no sense here", options.mixup);
  std::optional<Augmenter> augmenter;
  const auto images = static_cast<std::int64_t>(set.items.size());
  std::int64_t per_epoch = (images + options.size - 1) / options.size;
  if (options.augmentation) {
    LINNET_TRY(augmenter, Augmenter::make(*options.augmentation, options.preprocessing, options.input));
    if (images < options.size)
      return usage("{}: holds {} pictures, fewer than one batch of {}; choose smaller batches", set.name,
                   images, options.size);
    per_epoch = images / options.size;
  }
  if (start.epoch < 0 || start.batch < 0 || start.batch >= per_epoch)
    return fail(
        "{}: there is no batch {} of epoch {}: an epoch has {} batches; is this the data set that the "
        "run began with?",
        set.name, start.batch, start.epoch, per_epoch);
  options.threads = std::max(options.threads, 1);
  options.ahead = std::max(options.ahead, options.threads);
  const std::int64_t first = start.epoch * per_epoch + start.batch;
  return std::unique_ptr<Batches>(new Batches(
      std::make_unique<Worker>(std::move(set), std::move(options), std::move(augmenter), per_epoch, first)));
}

Batches::Batches(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}
Batches::~Batches() = default;
Result<const Batch*> Batches::next() { return worker_->next(); }
BatchPosition Batches::position() const { return worker_->position(); }
std::int64_t Batches::batches_per_epoch() const { return worker_->per_epoch(); }

}  // namespace linnet::data
