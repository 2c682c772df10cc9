// Labels, preprocessing and dialect as text, for the formats that can carry text but have no place of their
// own for these. docs/formats.md specifies the spelling, which is the same in every format.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace linnet::formats {

inline constexpr std::string_view kLabelsKey = "linnet.labels";
inline constexpr std::string_view kPreprocessingKey = "linnet.preprocessing";
inline constexpr std::string_view kDialectKey = "linnet.dialect";

/// Key and JSON text of labels and preprocessing, of each that the graph has. Errors name the graph: a label
/// that is not UTF-8, a number that is not finite.
Result<std::map<std::string, std::string, std::less<>>> metadata_entries(const Graph& graph);

/// What metadata_entries() wrote, from a file that nobody vouches for. Errors say what is wrong and name
/// neither file nor entry.
Result<std::vector<std::string>> labels_from_json(std::string_view text);
Result<Preprocessing> preprocessing_from_json(std::string_view text);

/// The inverse of to_string(Dialect). Errors list the names.
Result<Dialect> dialect_named(std::string_view name);

}  // namespace linnet::formats
