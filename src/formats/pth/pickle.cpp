#include "formats/pth/pickle.h"

#include <bit>
#include <cstring>
#include <limits>

#include <fmt/format.h>

namespace linnet::formats::pickle {
namespace {

// Far above any state dict's (some thousands), and small enough that a hostile pickle gets no memory to speak
// of.
constexpr std::size_t kMaxObjects = 1u << 20;
constexpr std::size_t kMaxStack = 1u << 20;
constexpr std::size_t kMaxRank = 8;

/// The opcodes that state dicts are written with, by their names in pickletools.py.
enum Op : std::uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kNone = 'N',
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kBinFloat = 'G',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kEmptyTuple = ')',
  kTuple = 't',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kEmptyList = ']',
  kAppend = 'a',
  kAppends = 'e',
  kEmptyDict = '}',
  kSetItem = 's',
  kSetItems = 'u',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kMemoize = 0x94,
  kGlobal = 'c',
  kStackGlobal = 0x93,
  kReduce = 'R',
  kBuild = 'b',
  kBinPersId = 'Q',
  kProto = 0x80,
  kFrame = 0x95,
};

constexpr int kHighestProtocol = 5;

struct NamedStorage {
  std::string_view name;
  Dtype dtype;
};
constexpr NamedStorage kStorages[] = {{"FloatStorage", Dtype::kF32},     {"HalfStorage", Dtype::kF16},
                                      {"BFloat16Storage", Dtype::kBf16}, {"DoubleStorage", Dtype::kF64},
                                      {"LongStorage", Dtype::kI64},      {"IntStorage", Dtype::kI32},
                                      {"ShortStorage", Dtype::kI16},     {"CharStorage", Dtype::kI8},
                                      {"ByteStorage", Dtype::kU8},       {"BoolStorage", Dtype::kBool}};

std::optional<std::int64_t> integer(const Value& value) {
  const auto* number = std::get_if<std::int64_t>(&value);
  return number ? std::optional(*number) : std::nullopt;
}

/// A tuple of at most kMaxRank non-negative integers.
std::optional<std::vector<std::int64_t>> extents(const Value& value) {
  const auto* sequence = as<Sequence>(value);
  if (!sequence || sequence->items.size() > kMaxRank) return std::nullopt;
  std::vector<std::int64_t> numbers;
  for (const Value& item : sequence->items) {
    const auto number = integer(item);
    if (!number || *number < 0) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

/// torch._utils._rebuild_tensor(storage, offset, size, stride), and _v2, which adds what inference has no use
/// for.
Result<TensorView> rebuild_tensor(const std::vector<Value>& arguments) {
  const auto* storage = arguments.empty() ? nullptr : as<Storage>(arguments[0]);
  if (!storage || arguments.size() < 4) return fail("a tensor is rebuilt from something else than a storage");
  const auto offset = integer(arguments[1]);
  auto dims = extents(arguments[2]);
  auto strides = extents(arguments[3]);
  if (!offset || *offset < 0 || !dims || !strides || dims->size() != strides->size())
    return fail("a tensor on storage \"{}\" has no legal offset, size and stride", storage->key);
  return TensorView{*storage, *offset, *std::move(dims), *std::move(strides)};
}

}  // namespace

Result<std::span<const std::byte>> Machine::take(std::uint64_t n) {
  if (n > bytes_.size() - at_) return fail("it ends within an instruction; the file is truncated or damaged");
  const auto taken = bytes_.subspan(at_, n);
  at_ += n;
  return taken;
}

template <class T>
Result<T> Machine::number() {
  LINNET_TRY(const auto bytes, take(sizeof(T)));
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

Result<std::string_view> Machine::line() {
  const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + at_, bytes_.size() - at_);
  const auto end = text.find('\n');
  if (end == text.npos) return fail("it ends within a name; the file is truncated or damaged");
  at_ += end + 1;
  return text.substr(0, end);
}

Result<void> Machine::push(Value value) {
  if (stack_.size() >= kMaxStack)
    return fail("it piles up more than {} values; no state dict does", kMaxStack);
  stack_.push_back(value);
  return {};
}

Result<void> Machine::push_object(decltype(Object::content) content) {
  if (arena_.size() >= kMaxObjects)
    return fail("it makes more than {} objects; no state dict does", kMaxObjects);
  return push(&arena_.emplace_back(Object{std::move(content)}));
}

Result<void> Machine::push_string(std::uint64_t n) {
  LINNET_TRY(const auto bytes, take(n));
  return push(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

/// A little-endian two's complement integer of n bytes. One that fits no int64 is pushed as None: the legacy
/// form begins with such a magic number, and nothing that is used may be as large.
Result<void> Machine::push_long(std::uint64_t n) {
  LINNET_TRY(const auto bytes, take(n));
  if (n > sizeof(std::int64_t)) return push(None{});
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < n; ++i) value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  if (n > 0 && n < 8 && (std::to_integer<int>(bytes[n - 1]) & 0x80)) value |= ~std::uint64_t{0} << (8 * n);
  return push(std::bit_cast<std::int64_t>(value));
}

Result<Value> Machine::pop() {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back()))
    return fail("it takes from an empty stack; the file is damaged");
  const Value value = stack_.back();
  stack_.pop_back();
  return value;
}

Result<std::vector<Value>> Machine::pop_to_mark() {
  if (marks_.empty()) return fail("it goes back to a mark that is not there; the file is damaged");
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<Value> items(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return items;
}

Result<void> Machine::push_tuple(std::size_t n) {
  std::vector<Value> items(n);
  while (n-- > 0) {
    LINNET_TRY(items[n], pop());
  }
  return push_object(Sequence{std::move(items)});
}

Result<void> Machine::remember(std::uint64_t index) {
  LINNET_TRY(const Value value, pop());
  if (memo_.size() >= kMaxObjects)
    return fail("it remembers more than {} values; no state dict does", kMaxObjects);
  memo_[index] = value;
  return push(value);
}

Result<void> Machine::recall(std::uint64_t index) {
  const auto found = memo_.find(index);
  if (found == memo_.end())
    return fail("it recalls value {}, which it never remembered; the file is damaged", index);
  return push(found->second);
}

Result<void> Machine::set_items(std::vector<Value> items) {
  LINNET_TRY(const Value target, pop());
  auto* dict = as<Dict>(target);
  if (!dict || items.size() % 2 != 0)
    return fail("it sets items of something that is no dictionary; the file is damaged");
  for (std::size_t i = 0; i < items.size(); i += 2) dict->items.emplace_back(items[i], items[i + 1]);
  return push(target);
}

Result<void> Machine::append(std::vector<Value> items) {
  LINNET_TRY(const Value target, pop());
  auto* list = as<Sequence>(target);
  if (!list) return fail("it appends to something that is no list; the file is damaged");
  list->items.insert(list->items.end(), items.begin(), items.end());
  return push(target);
}

Result<void> Machine::push_global(std::string_view module, std::string_view name) {
  if (module == "collections" && name == "OrderedDict") return push_object(Call::kOrderedDict);
  if (module == "torch._utils") {
    if (name == "_rebuild_tensor") return push_object(Call::kRebuildTensor);
    if (name == "_rebuild_tensor_v2") return push_object(Call::kRebuildTensorV2);
    if (name == "_rebuild_parameter") return push_object(Call::kRebuildParameter);
  }
  if (module == "torch")
    for (const auto& storage : kStorages)
      if (storage.name == name) return push_object(storage.dtype);
  return fail(
      "it asks Python for \"{}.{}\". Linnet reads tensors and runs no code: load the file in PyTorch and "
      "save only the weights, torch.save(model.state_dict(), …)",
      module.substr(0, 100), name.substr(0, 100));
}

/// ("storage", type, key, location, elements[, view]): where a tensor's bytes are.
Result<void> Machine::push_persistent() {
  LINNET_TRY(const Value id, pop());
  const auto* tuple = as<Sequence>(id);
  const bool long_enough = tuple && tuple->items.size() >= 5;
  const auto* kind = long_enough ? std::get_if<std::string_view>(&tuple->items[0]) : nullptr;
  const auto* dtype = long_enough ? as<Dtype>(tuple->items[1]) : nullptr;
  const auto* key = long_enough ? std::get_if<std::string_view>(&tuple->items[2]) : nullptr;
  const auto elements = long_enough ? integer(tuple->items[4]) : std::nullopt;
  if (!kind || *kind != "storage" || !dtype || !key || !elements || *elements < 0)
    return fail("it refers to something outside that is no tensor storage");
  Storage storage{std::string(*key), *dtype, *elements, 0};
  if (tuple->items.size() > 5)
    if (const auto* view = as<Sequence>(tuple->items[5])) {
      // (key, offset, elements) of a view into the storage, in files older than PyTorch 0.4
      const auto offset = view->items.size() == 3 ? integer(view->items[1]) : std::nullopt;
      if (!offset || *offset < 0)
        return fail("storage \"{}\" is a view that Linnet does not understand", storage.key);
      storage.view_offset = *offset;
    }
  return push_object(std::move(storage));
}

Result<void> Machine::reduce() {
  LINNET_TRY(const Value packed, pop());
  LINNET_TRY(const Value callable, pop());
  const auto* call = as<Call>(callable);
  const auto* arguments = as<Sequence>(packed);
  if (!call || !arguments) return fail("it calls something that Linnet does not know; the file is damaged");
  switch (*call) {
    case Call::kOrderedDict:
      if (!arguments->items.empty())
        return fail("an OrderedDict is made of a list, which no state dict does");
      return push_object(Dict{});
    case Call::kRebuildTensor:
    case Call::kRebuildTensorV2: {
      LINNET_TRY(TensorView tensor, rebuild_tensor(arguments->items));
      return push_object(std::move(tensor));
    }
    case Call::kRebuildParameter:  // (tensor, requires_grad, hooks)
      if (arguments->items.empty() || !as<TensorView>(arguments->items[0]))
        return fail("a parameter is made of no tensor");
      return push(arguments->items[0]);
  }
  return {};
}

/// Attributes of an object: a state dict carries its modules' versions in one, which inference has no use
/// for.
Result<void> Machine::build() {
  LINNET_TRY([[maybe_unused]] const Value state, pop());
  LINNET_TRY(const Value target, pop());
  if (!as<Dict>(target))
    return fail("it sets attributes of something that is no dictionary; the file is damaged");
  return push(target);
}

Result<void> Machine::step(std::uint8_t opcode) {
  switch (opcode) {
    case kProto: {
      LINNET_TRY(const auto protocol, number<std::uint8_t>());
      if (protocol > kHighestProtocol)
        return fail("it is written in pickle protocol {}, Linnet reads up to {}", protocol, kHighestProtocol);
      return {};
    }
    case kFrame: {
      LINNET_TRY(const auto size, number<std::uint64_t>());
      if (size > bytes_.size() - at_) return fail("it ends within a frame; the file is truncated or damaged");
      return {};
    }
    case kMark:
      if (marks_.size() >= kMaxStack)
        return fail("it piles up more than {} marks; no state dict does", kMaxStack);
      marks_.push_back(stack_.size());
      return {};
    case kPop: {
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
        return {};
      }
      LINNET_TRY([[maybe_unused]] const Value dropped, pop());
      return {};
    }
    case kPopMark: {
      LINNET_TRY([[maybe_unused]] const auto dropped, pop_to_mark());
      return {};
    }
    case kNone: return push(None{});
    case kNewTrue: return push(true);
    case kNewFalse: return push(false);
    case kBinInt: {
      LINNET_TRY(const auto value, number<std::int32_t>());
      return push(std::int64_t{value});
    }
    case kBinInt1: {
      LINNET_TRY(const auto value, number<std::uint8_t>());
      return push(std::int64_t{value});
    }
    case kBinInt2: {
      LINNET_TRY(const auto value, number<std::uint16_t>());
      return push(std::int64_t{value});
    }
    case kLong1: {
      LINNET_TRY(const auto n, number<std::uint8_t>());
      return push_long(n);
    }
    case kLong4: {
      LINNET_TRY(const auto n, number<std::uint32_t>());
      return push_long(n);
    }
    case kBinFloat: {  // big-endian, the only one
      LINNET_TRY(const auto bits, number<std::uint64_t>());
      return push(std::bit_cast<double>(__builtin_bswap64(bits)));
    }
    case kShortBinString:
    case kShortBinUnicode:
    case kShortBinBytes: {
      LINNET_TRY(const auto n, number<std::uint8_t>());
      return push_string(n);
    }
    case kBinString:
    case kBinUnicode:
    case kBinBytes: {
      LINNET_TRY(const auto n, number<std::uint32_t>());
      return push_string(n);
    }
    case kBinUnicode8: {
      LINNET_TRY(const auto n, number<std::uint64_t>());
      return push_string(n);
    }
    case kEmptyTuple: return push_tuple(0);
    case kTuple1: return push_tuple(1);
    case kTuple2: return push_tuple(2);
    case kTuple3: return push_tuple(3);
    case kTuple: {
      LINNET_TRY(auto items, pop_to_mark());
      return push_object(Sequence{std::move(items)});
    }
    case kEmptyList: return push_object(Sequence{});
    case kAppend: {
      LINNET_TRY(const Value item, pop());
      return append({item});
    }
    case kAppends: {
      LINNET_TRY(auto items, pop_to_mark());
      return append(std::move(items));
    }
    case kEmptyDict: return push_object(Dict{});
    case kSetItem: {
      LINNET_TRY(const Value value, pop());
      LINNET_TRY(const Value key, pop());
      return set_items({key, value});
    }
    case kSetItems: {
      LINNET_TRY(auto items, pop_to_mark());
      return set_items(std::move(items));
    }
    case kBinPut: {
      LINNET_TRY(const auto index, number<std::uint8_t>());
      return remember(index);
    }
    case kLongBinPut: {
      LINNET_TRY(const auto index, number<std::uint32_t>());
      return remember(index);
    }
    case kMemoize: return remember(memo_.size());
    case kBinGet: {
      LINNET_TRY(const auto index, number<std::uint8_t>());
      return recall(index);
    }
    case kLongBinGet: {
      LINNET_TRY(const auto index, number<std::uint32_t>());
      return recall(index);
    }
    case kGlobal: {
      LINNET_TRY(const auto module, line());
      LINNET_TRY(const auto name, line());
      return push_global(module, name);
    }
    case kStackGlobal: {
      LINNET_TRY(const Value name, pop());
      LINNET_TRY(const Value module, pop());
      const auto* name_text = std::get_if<std::string_view>(&name);
      const auto* module_text = std::get_if<std::string_view>(&module);
      if (!name_text || !module_text)
        return fail("it asks Python for something without a name; the file is damaged");
      return push_global(*module_text, *name_text);
    }
    case kReduce: return reduce();
    case kBuild: return build();
    case kBinPersId: return push_persistent();
    default:
      return fail(
          "opcode 0x{:02x} is none that state dicts are written with; the file is damaged, or it holds "
          "Python objects: save only the weights, torch.save(model.state_dict(), …)",
          opcode);
  }
}

Result<Value> Machine::run() {
  stack_.clear();
  marks_.clear();
  memo_.clear();
  while (true) {
    const std::size_t at = at_;
    auto opcode = number<std::uint8_t>();
    if (!opcode) return fail("pickle, byte {}: it has no end; the file is truncated", at);
    if (*opcode == kStop) break;
    if (const auto done = step(*opcode); !done) return fail("pickle, byte {}: {}", at, done.error().message);
  }
  if (stack_.size() != 1 || !marks_.empty())
    return fail("pickle: it leaves {} values; the file is damaged", stack_.size());
  return stack_.back();
}

}  // namespace linnet::formats::pickle
