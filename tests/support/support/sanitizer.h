// Whether a sanitizer watches this build: g++ defines macros for it, clang has features.
#pragma once

#if defined(__has_feature)
#define LINNET_HAS_FEATURE(name) __has_feature(name)
#else
#define LINNET_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    LINNET_HAS_FEATURE(address_sanitizer) || LINNET_HAS_FEATURE(thread_sanitizer)
#define LINNET_SANITIZED 1
#else
#define LINNET_SANITIZED 0
#endif
