// A plan as a picture: time across, memory up.
#pragma once

#include <string>

#include "plan/plan.h"

namespace linnet::cli {

/// An SVG file: a column a stage, a box a buffer from its first stage to its last, as high as its bytes.
std::string plan_picture(const Graph& graph, const plan::Plan& plan);

}  // namespace linnet::cli
