/* What the host of plugins has to ask the file and the system in C. */
#ifndef IRC_PLUGIN_HOST_H
#define IRC_PLUGIN_HOST_H

#include "irc_plugin.h"

/* Bytes of a table that come before its first pointer and can be read in the file. */
#define IRC_PLUGIN_HEAD_SIZE offsetof(irc_plugin_table, swift_plugins)

/* Bytes of tables and records in version 1.0. Later versions add fields behind these, so whoever has as many can be served. */
enum {
  IRC_PLUGIN_TABLE_SIZE_1_0 = 384,
  IRC_PASS_SIZE_1_0 = 40,
  IRC_SITE_SIZE_1_0 = 56,
  IRC_STATISTICS_SIZE_1_0 = 64,
  IRC_WEIGHT_SIZE_1_0 = 104
};

/* Copies the head of the first table in a file's bytes, and tells whether there is one. The pointers of `table` become NULL. */
_Bool irc_plugin_find_table(const void *bytes, size_t count, irc_plugin_table *table);

/* The compiler of this program, as IRC_SWIFT_PLUGIN names the plugin's. */
const char *irc_plugin_host_compiler(void);

/* Writes the build ID that the linker gave this program, in hexadecimal with a NUL; empty where it has none. */
void irc_plugin_host_fingerprint(char text[64]);

/* Whether plugins find in this program what they leave undefined. */
typedef enum irc_plugin_host_state {
  IRC_PLUGIN_HOST_READY = 0,
  IRC_PLUGIN_HOST_HIDES_SYMBOLS,  /* linked without --export-dynamic */
  IRC_PLUGIN_HOST_OWNS_SWIFT,     /* holds a Swift runtime of its own; plugins would bring a second one */
  IRC_PLUGIN_HOST_HAS_NO_BUILD_ID /* nothing tells it from another build */
} irc_plugin_host_state;

irc_plugin_host_state irc_plugin_check_host(void);

/* What is said if the process crashes: the head, the name of the signal, the tail. */
typedef struct irc_plugin_guard irc_plugin_guard;

/* Says that code of a plugin begins to run on this thread; both texts are copied. Guards can be put one into another. */
irc_plugin_guard *irc_plugin_enter(const char *head, const char *tail);

/* Says that it has come back; frees the guard, which must be the last one of the thread. */
void irc_plugin_leave(irc_plugin_guard *guard);

#endif
