#include "formats/pth/pth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/data.h"

namespace linnet::formats {
namespace {

TEST(pth, reads_torchvisions_mobilenet_v2) {
  LINNET_DATA_OR_SKIP(path, "models/torchvision/mobilenet_v2.pth");
  const auto graph = read_pth(path);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->output_shape(), (Shape{1, 1, 1000}));
  EXPECT_EQ(graph->dialect, Dialect::kTorchvision);
  EXPECT_TRUE(graph->labels.empty());
  EXPECT_FALSE(graph->preprocessing);
}

}  // namespace
}  // namespace linnet::formats
