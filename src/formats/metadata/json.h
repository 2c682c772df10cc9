// JSON out of files that nobody vouches for: bounded in depth and number of values, no key twice, no
// exception. For the sources of the rooms that read JSON: whoever includes it links nlohmann/json.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace linnet::formats {

using Json = nlohmann::ordered_json;

struct JsonLimits {
  int depth = 16;
  std::size_t values = 1u << 20;
};

/// Errors say at which byte and why; they name no file.
Result<Json> parse_json(std::string_view text, JsonLimits limits = {});

/// Member `key` of an object, or null where it is absent or `json` is no object.
const Json* find(const Json& json, std::string_view key);

/// Member `key` as an integer in [low, high], a finite number, a bool or a string. Absent (or null):
/// `otherwise`. Errors name the key and show what stands there.
Result<int> integer_or(const Json& json, std::string_view key, int otherwise, int low, int high);
Result<double> number_or(const Json& json, std::string_view key, double otherwise);
Result<bool> bool_or(const Json& json, std::string_view key, bool otherwise);
Result<std::string> string_or(const Json& json, std::string_view key, std::string_view otherwise);

/// A number that a float32 can hold; an infinity is none. The error shows `value` and names no key.
Result<float> to_float(const Json& value);

/// A value as an error message shows it: its JSON text, cut short.
std::string shown(const Json& json);

}  // namespace linnet::formats
