// SPDX-License-Identifier: Apache-2.0
// Tells ThreadSanitizer what Swift's Mutex orders when threads wait for each other; .ci/sanitize preloads it.
//
// A Mutex that is free is taken and given back by atomics in the caller's own code, which is instrumented. One that
// another thread holds goes through two functions of libswiftSynchronization (6.3), which are not: the kernel hands it
// over (FUTEX_LOCK_PI), and ThreadSanitizer sees two accesses with nothing between them. Four threads that only add to
// one `Mutex<Int>` are reported as a race without this file, and are not with it.
//
// A suppression would hide true races too: all whose stacks have a `withLock` somewhere. These two functions tell of
// the order itself, so nothing is suppressed. Where the library calls others, these do nothing.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

// Absent in the programs around the tests, which are preloaded with this as well.
extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

// Synchronization._MutexHandle._lockSlow(UInt32) and _unlockSlow()
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

typedef SWIFT void (*lock_function)(uint32_t thread, SELF void *mutex);
typedef SWIFT void (*unlock_function)(SELF void *mutex);

static void *original(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL) abort();
    return function;
}

SWIFT void lock_slowly(uint32_t thread, SELF void *mutex) __asm__(LOCK);
SWIFT void unlock_slowly(SELF void *mutex) __asm__(UNLOCK);

SWIFT void lock_slowly(uint32_t thread, SELF void *mutex) {
    ((lock_function)original(LOCK))(thread, mutex);
    if (__tsan_acquire != NULL) __tsan_acquire(mutex);
}

SWIFT void unlock_slowly(SELF void *mutex) {
    if (__tsan_release != NULL) __tsan_release(mutex);
    ((unlock_function)original(UNLOCK))(mutex);
}
