// A pickle machine that knows tensors and nothing else. Private to this room.
//
// Python's pickle is a program that may call anything. This machine runs the few opcodes that state dicts are
// written with, and the only calls that it grants build an ordered dictionary, a tensor or a parameter. Every
// other name and every other opcode ends it with an error that says which. Nothing is ever imported or
// executed. (pickletools.py documents the opcodes; torch/_utils.py and torch/serialization.py the three
// calls.)
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "formats/state_dict/tensor.h"

namespace linnet::formats::pickle {

/// A tensor's bytes under the key by which the file holds them.
struct Storage {
  std::string key;
  Dtype dtype = Dtype::kF32;
  std::int64_t elements = 0;
  std::int64_t view_offset = 0;  ///< elements; the legacy form's views into another storage
};

/// A strided window on a storage; offset and strides count elements.
struct TensorView {
  Storage storage;
  std::int64_t offset = 0;
  std::vector<std::int64_t> dims;
  std::vector<std::int64_t> strides;
};

struct Object;
struct None {};
/// What the stack holds. Objects live in the machine's arena, so that a pickle may refer to itself without
/// leaking.
using Value = std::variant<None, bool, std::int64_t, double, std::string_view, Object*>;

/// The calls that the machine grants.
enum class Call { kOrderedDict, kRebuildTensor, kRebuildTensorV2, kRebuildParameter };

struct Sequence {
  std::vector<Value> items;  ///< of a tuple or a list
};
struct Dict {
  std::vector<std::pair<Value, Value>> items;
};
struct Object {
  std::variant<Sequence, Dict, Storage, Dtype, Call, TensorView> content;
};

/// Runs pickles that lie one after the other in `bytes`, which must outlive the machine and every Value it
/// gives: strings are views. Not thread-safe.
class Machine {
 public:
  explicit Machine(std::span<const std::byte> bytes) : bytes_(bytes) {}

  /// The next pickle's value. Errors say at which byte and what; they name no file.
  Result<Value> run();
  /// What no pickle has consumed yet.
  std::span<const std::byte> rest() const { return bytes_.subspan(at_); }

 private:
  struct Opcode;
  Result<void> step(std::uint8_t opcode);

  Result<std::span<const std::byte>> take(std::uint64_t n);
  template <class T>
  Result<T> number();
  Result<std::string_view> line();
  Result<void> push(Value value);
  Result<void> push_object(decltype(Object::content) content);
  Result<void> push_string(std::uint64_t n);
  Result<void> push_long(std::uint64_t n);
  Result<Value> pop();
  Result<std::vector<Value>> pop_to_mark();
  Result<void> push_tuple(std::size_t n);
  Result<void> remember(std::uint64_t index);
  Result<void> recall(std::uint64_t index);
  Result<void> set_items(std::vector<Value> items);
  Result<void> append(std::vector<Value> items);
  Result<void> push_global(std::string_view module, std::string_view name);
  Result<void> push_persistent();
  Result<void> reduce();
  Result<void> build();

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  std::vector<Value> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::unordered_map<std::uint64_t, Value> memo_;
  std::deque<Object> arena_;
};

/// The content of a value if it is an object of kind T, else null.
template <class T>
T* as(const Value& value) {
  Object* const* object = std::get_if<Object*>(&value);
  return object ? std::get_if<T>(&(*object)->content) : nullptr;
}

}  // namespace linnet::formats::pickle
