// Puts channels in the order of their largest magnitude, so that the groups of weights that share a scale are alike.
//
// Exact: weights before and after a site change places with the channels. No number changes.
#include <irc_plugin.h>

#include <algorithm>
#include <exception>
#include <numeric>
#include <string>
#include <vector>

namespace {

const char description[] = R"({
  "name": "channel-order",
  "summary": "Put channels in the order of their largest magnitude.",
  "options": [
    {"key": "sites", "type": "patterns", "default": ["scan", "value", "product"],
     "help": "Sites to reorder, by role or name; * and ? as in globs."},
    {"key": "direction", "type": "choice", "choices": ["falling", "rising"], "default": "falling",
     "help": "Whether the largest comes first or last."}
  ],
  "preserves_function": true,
  "tolerance": 1e-9,
  "calibration": ["absolute-maximum"],
  "counters": [{"name": "ordered", "help": "Sites whose channels changed places."}]
})";

// A function of irc has failed, and irc knows why.
struct Failed {};

void check(int32_t status) {
  if (status != IRC_OK) throw Failed();
}

void order_site(const irc_host *host, irc_call *call, size_t index, bool falling) {
  irc_site site = {};
  site.struct_size = sizeof site;
  check(host->site(call, index, &site));
  if (site.online > 0 || !(site.admits & IRC_ADMITS_PERMUTATION)) return;
  irc_statistics statistics = {};
  statistics.struct_size = sizeof statistics;
  check(host->site_statistics(call, index, &statistics));
  std::vector<size_t> order(site.width);
  std::iota(order.begin(), order.end(), size_t(0));
  const double *peaks = statistics.absolute_maximum;
  // Channels stay in their block.
  const size_t size = site.width / site.blocks;
  for (size_t start = 0; start < site.width; start += size) {
    std::sort(
        order.begin() + long(start), order.begin() + long(start + size), [=](size_t a, size_t b) {
          if (peaks[a] == peaks[b]) return a < b;
          return (peaks[a] > peaks[b]) == falling;
        });
  }
  check(host->apply_permutation(call, index, order.data(), order.size(), 0));
  check(host->count(call, "ordered", 1));
}

int32_t run(const irc_host *host, irc_call *call) {
  // No exception may leave the plugin.
  try {
    const char *direction = nullptr;
    check(host->text(call, "direction", &direction));
    size_t count = 0;
    check(host->find_sites(call, IRC_PERMUTING, "sites", &count));
    for (size_t index = 0; index < count; index++) {
      order_site(host, call, index, std::string(direction) == "falling");
    }
    return IRC_OK;
  } catch (const Failed &) {
    return IRC_FAILED;
  } catch (const std::exception &problem) {
    return host->fail(call, problem.what(), nullptr);
  }
}

const irc_pass channel_order = {IRC_PASS_HEAD, description, nullptr, run};

}  // namespace

IRC_C_PLUGIN(&channel_order)
