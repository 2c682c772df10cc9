#include "formats/metadata/json.h"

#include <cmath>
#include <limits>
#include <unordered_set>
#include <vector>

namespace linnet::formats {
namespace {

/// Builds the document event by event, and stops at the first that breaks a limit. nlohmann's own builder
/// knows no limits and keeps the last of two equal keys.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(JsonLimits limits) : limits_(limits) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return stop("binary data"); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& value) override {
    if (!open_.back().keys.insert(value).second) return stop("the key \"" + value + "\" stands twice");
    open_.back().key = std::move(value);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error while parsing …"
    std::string_view text = error.what();
    if (const auto id = text.find("] "); id != text.npos) text.remove_prefix(id + 2);
    if (const auto place = text.find(": "); text.starts_with("parse error") && place != text.npos)
      text.remove_prefix(place + 2);
    return stop("byte " + std::to_string(position) + ": " + std::string(text));
  }

  Json take() { return std::move(root_); }
  const std::string& complaint() const { return complaint_; }

 private:
  struct Open {
    Json value;
    std::string key;
    std::unordered_set<std::string> keys;
  };

  bool stop(std::string complaint) {
    complaint_ = std::move(complaint);
    return false;
  }

  bool count() {
    return ++values_ <= limits_.values || stop("more than " + std::to_string(limits_.values) + " values");
  }

  bool add(Json value) {
    if (!count()) return false;
    place(std::move(value));
    return true;
  }

  bool open(Json value) {
    if (!count()) return false;
    if (open_.size() == static_cast<std::size_t>(limits_.depth))
      return stop("nested more than " + std::to_string(limits_.depth) + " deep");
    open_.push_back({std::move(value), {}, {}});
    return true;
  }

  bool close() {
    Json value = std::move(open_.back().value);
    open_.pop_back();
    place(std::move(value));
    return true;
  }

  void place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (Open& parent = open_.back(); parent.value.is_array()) {
      parent.value.push_back(std::move(value));
    } else {
      // The vector below an ordered_json, because its operator[] searches for the key, which key() has done.
      parent.value.get_ref<Json::object_t&>().Container::emplace_back(std::move(parent.key),
                                                                      std::move(value));
    }
  }

  JsonLimits limits_;
  std::size_t values_ = 0;
  std::vector<Open> open_;
  Json root_;
  std::string complaint_;
};

}  // namespace

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
  Builder builder(limits);
  if (!Json::sax_parse(text, &builder)) return fail("is not legal JSON: {}", builder.complaint());
  return builder.take();
}

const Json* find(const Json& json, std::string_view key) {
  if (!json.is_object()) return nullptr;
  for (const auto& [name, value] : json.items())
    if (name == key) return &value;
  return nullptr;
}

std::string shown(const Json& json) {
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "…";
  return text;
}

Result<int> integer_or(const Json& json, std::string_view key, int otherwise, int low, int high) {
  const Json* value = find(json, key);
  if (!value || value->is_null()) return otherwise;
  const double number = value->is_number() ? value->get<double>() : std::nan("");
  if (!(number >= low && number <= high) || number != std::floor(number))
    return fail("\"{}\" is {}, expected an integer in [{}, {}]", key, shown(*value), low, high);
  return static_cast<int>(number);
}

Result<double> number_or(const Json& json, std::string_view key, double otherwise) {
  const Json* value = find(json, key);
  if (!value || value->is_null()) return otherwise;
  if (!value->is_number() || !std::isfinite(value->get<double>()))
    return fail("\"{}\" is {}, expected a number", key, shown(*value));
  return value->get<double>();
}

Result<bool> bool_or(const Json& json, std::string_view key, bool otherwise) {
  const Json* value = find(json, key);
  if (!value || value->is_null()) return otherwise;
  if (!value->is_boolean()) return fail("\"{}\" is {}, expected true or false", key, shown(*value));
  return value->get<bool>();
}

Result<std::string> string_or(const Json& json, std::string_view key, std::string_view otherwise) {
  const Json* value = find(json, key);
  if (!value || value->is_null()) return std::string(otherwise);
  if (!value->is_string()) return fail("\"{}\" is {}, expected a string", key, shown(*value));
  return value->get<std::string>();
}

Result<float> to_float(const Json& value) {
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  if (!(std::abs(number) <= static_cast<double>(std::numeric_limits<float>::max())))
    return fail("is {}, expected a number", shown(value));
  return static_cast<float>(number);
}

}  // namespace linnet::formats
