// Mutexes, condition variables and notifications: Abseil's, checked by clang's thread-safety
// analysis (ABSL_GUARDED_BY and friends).
//
// Under ThreadSanitizer the same names stand for wrappers around the standard library's: a packaged
// Abseil is not instrumented, so the sanitizer would not see its locks and report races that are
// none. Only the part of Abseil's interface that Tarn uses is there.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TARN_TSAN 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define TARN_TSAN 1
#endif

#ifndef TARN_TSAN

namespace tarn {
using Mutex = absl::Mutex;
using MutexLock = absl::MutexLock;
using ReaderMutexLock = absl::ReaderMutexLock;
using WriterMutexLock = absl::WriterMutexLock;
using CondVar = absl::CondVar;
using Notification = absl::Notification;
}  // namespace tarn

#else
#include "common/sync_tsan.h"
#endif
