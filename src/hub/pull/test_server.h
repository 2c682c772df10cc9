// A hub on this machine for the tests: one file that is served in every way in which a server can be good or
// bad.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <httplib.h>

namespace linnet::hub {

class TestServer {
 public:
  TestServer() {
    server_.set_keep_alive_max_count(1);
    port_ = server_.bind_to_any_port("127.0.0.1");
  }
  ~TestServer() { stop(); }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  /// Register handlers first.
  void start() {
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  void stop() {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  httplib::Server& handlers() { return server_; }
  std::string url(const std::string& path = "") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }

  /// Counts a request and its Range header; called by the handlers below.
  void note(const httplib::Request& request) {
    const std::lock_guard lock(mutex_);
    ranges_.push_back(request.get_header_value("Range"));
  }
  /// The Range headers of all requests so far, "" where there was none.
  std::vector<std::string> ranges() const {
    const std::lock_guard lock(mutex_);
    return ranges_;
  }

  /// Serves `body` whole or from the asked byte, with this ETag.
  void serve(const std::string& path, const std::string& body, const std::string& etag,
             const httplib::Headers& headers = {}) {
    server_.Get(path, [=, this](const httplib::Request& request, httplib::Response& response) {
      note(request);
      response.headers = headers;
      response.set_header("ETag", etag);
      response.set_header("Accept-Ranges", "bytes");
      response.set_content(body, "application/octet-stream");
    });
  }

  /// Announces the whole body but hangs up after `bytes` of what was asked for.
  void serve_cut(const std::string& path, const std::string& body, const std::string& etag, std::size_t bytes,
                 int times) {
    auto left = std::make_shared<std::atomic<int>>(times);
    server_.Get(path, [=, this](const httplib::Request& request, httplib::Response& response) {
      note(request);
      response.set_header("ETag", etag);
      const bool cut = left->fetch_sub(1) > 0;
      response.set_content_provider(body.size(), "application/octet-stream",
                                    [=](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
                                      const std::size_t n = cut ? std::min(length, bytes) : length;
                                      sink.write(body.data() + offset, n);
                                      return !cut;
                                    });
    });
  }

 private:
  httplib::Server server_;
  std::thread thread_;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> ranges_;
};

}  // namespace linnet::hub
