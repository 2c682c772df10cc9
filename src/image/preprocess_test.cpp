#include "image/preprocess.h"

#include <gtest/gtest.h>

#include "support/data.h"

namespace linnet::image {
namespace {}  // namespace
}  // namespace linnet::image
