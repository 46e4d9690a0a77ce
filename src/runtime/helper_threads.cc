#include "runtime/helper_threads.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>

namespace qdq::runtime {
namespace {

constexpr int kMost = 255;
constexpr std::chrono::microseconds kLookout(200);  // longer than what lies between two steps, shorter than a wink
constexpr int kLooks = 32;                          // between two looks at the clock
constexpr int kPatience = 4096;                     // looks of a caller before it leaves its core to others

// idle -> reserved -> offered -> running -> idle of the next round: the caller leads up to `offered`, the helper from there on; a caller
// that takes its offer back goes from `offered` to idle. The number of the round tells one caller's task from the next one's.
enum Phase : std::uint32_t { idle, reserved, offered, running, phases };

constexpr std::uint32_t phase_of(std::uint32_t state) { return state % phases; }
constexpr std::uint32_t next_round(std::uint32_t state) { return state - phase_of(state) + phases; }

struct alignas(64) Helper {
  std::atomic<std::uint32_t> state = idle;
  const std::function<void(int)>* task = nullptr;  // written while reserved, read while running
  int index = 0;
};

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns a state in the phase `offered`.
std::uint32_t await_offer(const Helper& helper) {
  using Clock = std::chrono::steady_clock;
  for (Clock::time_point end = Clock::now() + kLookout;;) {
    std::uint32_t state = idle;
    for (int look = 0; look < kLooks; ++look, pause())
      if (state = helper.state.load(std::memory_order_acquire); phase_of(state) == offered) return state;
    if (Clock::now() < end) continue;
    helper.state.wait(state);
    end = Clock::now() + kLookout;
  }
}

[[noreturn]] void serve(Helper& helper) {
  for (;;) {
    std::uint32_t state = await_offer(helper);
    if (!helper.state.compare_exchange_strong(state, state - offered + running, std::memory_order_acquire)) continue;
    (*helper.task)(helper.index);
    helper.state.store(next_round(state), std::memory_order_release);
  }
}

// Lives as long as the process, as its threads do.
class Helpers {
 public:
  static Helpers& of_process() {
    static Helpers* const helpers = new Helpers;
    return *helpers;
  }

  // Up to `wanted` helpers from now on; returns how many there are.
  int grow(int wanted) {
    wanted = std::min(wanted, kMost);
    if (const int count = count_.load(std::memory_order_acquire); count >= wanted) return count;
    const std::lock_guard lock(mutex_);
    while (count_.load(std::memory_order_relaxed) < wanted && !is_refused_) {
      auto* helper = new Helper;
      try {
        std::thread(serve, std::ref(*helper)).detach();
      } catch (const std::system_error&) {
        delete helper;
        is_refused_ = true;
        break;
      }
      helpers_[static_cast<std::size_t>(count_.load(std::memory_order_relaxed))] = helper;
      count_.fetch_add(1, std::memory_order_release);
    }
    return count_.load(std::memory_order_relaxed);
  }

  Helper& operator[](int index) const { return *helpers_[static_cast<std::size_t>(index)]; }

 private:
  Helpers() {
    // A process's threads do not come along when it forks: the child starts its own.
    pthread_atfork([] { of_process().mutex_.lock(); }, [] { of_process().mutex_.unlock(); },
                   [] {
                     of_process().count_ = 0;
                     of_process().mutex_.unlock();
                   });
  }

  std::mutex mutex_;
  bool is_refused_ = false;
  std::atomic<int> count_ = 0;
  std::array<Helper*, kMost> helpers_ = {};
};

struct Offer {
  Helper* helper;
  std::uint32_t state;  // in the phase `offered`
  int task;
};

bool offer(Helper& helper, const std::function<void(int)>& task, int index, Offer& made) {
  std::uint32_t state = helper.state.load(std::memory_order_relaxed);
  if (phase_of(state) != idle ||
      !helper.state.compare_exchange_strong(state, state + reserved, std::memory_order_acquire))
    return false;
  helper.task = &task;
  helper.index = index;
  made = {&helper, state + offered, index};
  helper.state.store(made.state);
  helper.state.notify_one();
  return true;
}

bool take_back(const Offer& offer) {
  std::uint32_t state = offer.state;
  return offer.helper->state.compare_exchange_strong(state, next_round(state), std::memory_order_relaxed);
}

void await_end(const Offer& offer) {
  const std::uint32_t state = offer.state - offered + running;
  for (int look = 0; offer.helper->state.load(std::memory_order_acquire) == state; ++look) {
    pause();
    if (look >= kPatience) std::this_thread::yield();
  }
}

}  // namespace

void HelperThreads::run(int count, const std::function<void(int task)>& task) {
  Helpers& helpers = Helpers::of_process();
  const int present = size_ > 1 ? helpers.grow(size_ - 1) : 0;
  std::array<Offer, kMost> offers;
  std::size_t made = 0;
  int next = 1;
  for (int h = 0; h < present && next < std::min(count, size_); ++h)
    if (offer(helpers[h], task, next, offers[made])) ++made, ++next;
  if (count > 0) task(0);
  for (; next < count; ++next) task(next);
  std::size_t begun = 0;
  for (std::size_t i = 0; i < made; ++i)
    if (take_back(offers[i]))
      task(offers[i].task);
    else
      offers[begun++] = offers[i];
  for (std::size_t i = 0; i < begun; ++i) await_end(offers[i]);
}

}  // namespace qdq::runtime
