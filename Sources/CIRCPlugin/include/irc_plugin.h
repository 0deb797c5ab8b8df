/* What a plugin of irc exports: one symbol, irc_plugin_query. C11 or C++17; needs the headers below and nothing else.

   The table that the symbol returns also begins with a mark, by which irc finds it in the file before any of the file's code
   runs. What stands between the mark and the first pointer is therefore plain bytes, and never changes its place. */
#ifndef IRC_PLUGIN_H
#define IRC_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IRC_PLUGIN_API_MAJOR 1u /* goes up when something is removed or changes its meaning; must be irc's */
#define IRC_PLUGIN_API_MINOR 0u /* goes up when something is added at the end; must not be above irc's */

/* Filled up with zeros to the size of the field. */
#define IRC_PLUGIN_MARK "irc-plugin-table"

/* What the functions behind the head of the table are. */
enum {
  /* Swift, compiled against the kit of one build of irc, whose symbols it leaves undefined. */
  IRC_PLUGIN_SWIFT = 1
};

typedef struct irc_plugin_table {
  char mark[24];        /* IRC_PLUGIN_MARK */
  uint32_t struct_size; /* of the table as the plugin knows it */
  uint32_t api_major;
  uint32_t api_minor;
  uint32_t kind;
  char compiler[256];   /* who compiled the plugin; Swift has no stable layout of types between compilers */
  char kit[64];         /* fingerprint of the build that it was compiled against, in hexadecimal */
  /* IRC_PLUGIN_SWIFT: puts the passes into a Swift array, of type [any Pass.Type]. */
  void (*swift_passes)(void *passes);
} irc_plugin_table;

/* The plugin's table, or NULL where the plugin cannot serve a host of this version. May be called more than once. */
const irc_plugin_table *irc_plugin_query(uint32_t host_major, uint32_t host_minor);

/* Defines irc_plugin_query for a plugin in Swift; 'irc plugin build' writes the one line that uses it. */
#define IRC_SWIFT_PLUGIN(kit_fingerprint, passes_function)                                       \
  static const irc_plugin_table irc_plugin_own_table = {                                         \
      IRC_PLUGIN_MARK,      (uint32_t)sizeof(irc_plugin_table), IRC_PLUGIN_API_MAJOR,            \
      IRC_PLUGIN_API_MINOR, IRC_PLUGIN_SWIFT,                   __VERSION__,                     \
      kit_fingerprint,      passes_function};                                                    \
  const irc_plugin_table *irc_plugin_query(uint32_t host_major, uint32_t host_minor) {           \
    (void)host_major;                                                                            \
    (void)host_minor;                                                                            \
    return &irc_plugin_own_table;                                                                \
  }

#ifdef __cplusplus
}
#endif

#endif
