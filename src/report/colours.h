// The colours of pages and pictures, by the names of their CSS variables.
#pragma once

namespace linnet::report {

struct NamedColour {
  const char* name;
  const char* light;
  const char* dark;
};

inline constexpr NamedColour kColours[] = {
    {"page", "#f6f7f9", "#14181d"},         {"box", "#ffffff", "#1d232b"},
    {"text", "#1b2430", "#e4e9ef"},         {"quiet", "#5b6775", "#9aa6b4"},
    {"line", "#d9dee5", "#36404c"},         {"one", "#2a6fbb", "#6aa9ec"},
    {"two", "#d9822b", "#f0a55a"},          {"band", "#2a6fbb22", "#6aa9ec2e"},
    {"band-two", "#d9822b33", "#f0a55a33"},
};

}  // namespace linnet::report
