/* Plugins of irc. C11 or C++17; needs the two headers below and nothing else. docs/plugin-abi.md explains it.

   A plugin exports one symbol, irc_plugin_query, which returns a table. The table begins with a mark, by which irc finds it in the file
   before any of the file's code runs. What stands between the mark and the first pointer is therefore plain bytes, and never changes
   its place.

   Texts are UTF-8 and end with a NUL. Whoever allocates frees: what irc lends stays as long as the function says that lends it, and irc
   copies what it is given before the function returns. */
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

#if defined(__GNUC__)
#define IRC_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define IRC_PLUGIN_EXPORT
#endif

/* What the functions behind the head of the table are. */
enum {
  /* Swift, compiled against the kit of one build of irc, whose symbols it leaves undefined. */
  IRC_PLUGIN_SWIFT = 1,
  /* C or another language that can speak it; works with every irc of the same major version. */
  IRC_PLUGIN_C = 2
};

/* What functions of irc and of passes return. */
enum { IRC_OK = 0, IRC_FAILED = 1 };

/* Families of sites, and so of transforms. */
enum {
  IRC_MIXING = 1,    /* channels become combinations of others */
  IRC_SCALING = 2,   /* every channel gets a factor */
  IRC_PERMUTING = 3  /* channels change places */
};

/* What a site admits, bit by bit, in each of its blocks of channels. */
enum {
  IRC_ADMITS_PERMUTATION = 1,
  IRC_ADMITS_POSITIVE_DIAGONAL = 2,
  IRC_ADMITS_DIAGONAL = 4,
  IRC_ADMITS_ROTATION = 8,
  IRC_ADMITS_MATRIX = 16
};

/* How a transform may be applied, bit by bit. */
enum { IRC_ALLOW_ONLINE = 1 /* operators may run with the network where no weights can take the transform up */ };

/* One run of a pass over one graph. Belongs to irc, is valid until the function returns that was given it, and on its thread only. */
typedef struct irc_call irc_call;

/* A set of channels that move together: see docs/writing-a-pass.md. Texts stay until the run ends. */
typedef struct irc_site {
  uint32_t struct_size; /* set by the caller */
  uint32_t admits;      /* IRC_ADMITS_... */
  const char *name;     /* "norm/model.layers.0.self_attn.q_proj" */
  const char *role;     /* "norm" */
  const char *group;    /* all that it admits, in words: "blocks(orthogonal, 4)" */
  size_t width;         /* channels */
  size_t blocks;        /* equal blocks of channels that a transform must keep apart; 1 if it need not */
  size_t online;        /* operators that would have to run with the network */
} irc_site;

/* What was measured over the calibration text, a number for each channel. Stays until the next measurement or the end of the run. */
typedef struct irc_statistics {
  uint32_t struct_size; /* set by the caller */
  uint32_t reserved;
  size_t width; /* channels */
  size_t rows;  /* rows that were seen: tokens, or several for each */
  const double *mean;
  const double *mean_square;
  const double *absolute_maximum;
  size_t blocks;               /* of the second moment */
  const double *second_moment; /* mean of x_i x_j, [blocks][width/blocks][width/blocks]; NULL unless the description asks for it */
} irc_statistics;

/* A weight of a linear layer that is rounded to nearest. Texts and values stay until the run ends. */
typedef struct irc_weight {
  uint32_t struct_size; /* set by the caller */
  uint32_t has_zeros;    /* 1: scales come with zero points */
  const char *name;
  const char *format;       /* "int4", "fp4" */
  const char *scale_format; /* "f32", "f16", "e8m0", "e4m3" */
  size_t rows;              /* outputs */
  size_t columns;           /* inputs */
  size_t scale_rows; /* scales are [scale_rows][scale_columns]; one row of them may be for all */
  size_t scale_columns;
  size_t group;         /* columns of a row that share a scale; the last ones may be fewer */
  int32_t lowest_code;  /* of integer formats, where numbers is 1 and values NULL: value = (code - zero) * scale */
  int32_t highest_code;
  const float *values; /* of tables: value = values[code & (value_count - 1)] * scale; else NULL */
  size_t value_count;
  /* How many numbers stand in the place of a scale, group after group: 1, or the values of a codebook: numbers[code & (numbers - 1)], or
     the factors of a binary format, which bit i of the code adds if set and else subtracts, and then its offset if there is one. */
  size_t numbers;
} irc_weight;

/* What irc does for a pass. A function that fails changes nothing, and so does every later one of the same run: the pass then fails with the
   first error, whatever it returns itself. */
typedef struct irc_host {
  uint32_t struct_size; /* of the table as irc knows it */
  uint32_t api_major;
  uint32_t api_minor;
  uint32_t reserved;

  /* Gives up: one sentence without a full stop, and what to do about it or NULL. Returns IRC_FAILED. */
  int32_t (*fail)(irc_call *call, const char *message, const char *hint);
  /* Tells the user something, of a kind that the description declares; hint may be NULL. */
  int32_t (*remark)(irc_call *call, const char *kind, const char *message, const char *hint);
  /* Adds to a counter that the description declares. */
  int32_t (*count)(irc_call *call, const char *counter, int64_t amount);

  /* Options by their keys. Texts stay until the run ends. */
  int32_t (*integer)(irc_call *call, const char *option, int64_t *value);
  int32_t (*number)(irc_call *call, const char *option, double *value);
  int32_t (*flag)(irc_call *call, const char *option, int32_t *value);
  int32_t (*text)(irc_call *call, const char *option, const char **value); /* and words of a choice */

  /* Looks for sites of a family: those that an option of type "patterns" chooses, or all for NULL. Those found before are forgotten. */
  int32_t (*find_sites)(irc_call *call, uint32_t family, const char *patterns, size_t *count);
  int32_t (*site)(irc_call *call, size_t index, irc_site *site);
  /* Of what is read at the site, in the site's channels, as the network was when the sites were found. */
  int32_t (*site_statistics)(irc_call *call, size_t index, irc_statistics *statistics);
  /* x'[j] = x[j] * factors[j] */
  int32_t (*apply_diagonal)(
      irc_call *call, size_t site, const double *factors, size_t count, uint32_t flags);
  /* x'[j] = x[order[j]] */
  int32_t (*apply_permutation)(
      irc_call *call, size_t site, const size_t *order, size_t count, uint32_t flags);
  /* x' = x M in each block of `size` channels: matrices are [blocks][size][size], and each serves equally many blocks in a row.
     Rotations must be orthogonal; matrices must have an inverse. */
  int32_t (*apply_rotation)(
      irc_call *call, size_t site, const double *matrices, size_t blocks, size_t size,
      uint32_t flags);
  int32_t (*apply_matrices)(
      irc_call *call, size_t site, const double *matrices, size_t blocks, size_t size,
      uint32_t flags);

  /* Looks for weights that are rounded to nearest: those that an option of type "patterns" chooses, or all for NULL. */
  int32_t (*find_weights)(irc_call *call, const char *patterns, size_t *count);
  int32_t (*weight)(irc_call *call, size_t index, irc_weight *weight);
  /* The weight before rounding, [rows][columns]. */
  int32_t (*read_weight)(irc_call *call, size_t index, float *elements, size_t count);
  /* Its scales and, if it has them, zero points (else zeros may be NULL), as they are now. */
  int32_t (*read_scales)(
      irc_call *call, size_t index, float *scales, int8_t *zeros, size_t count);
  /* Of the layer's input, as the network was when the weights were found. */
  int32_t (*weight_statistics)(irc_call *call, size_t index, irc_statistics *statistics);
  /* Gives the weight codes [rows][columns], once. Scales and zero points NULL: those that it has; count is then 0. */
  int32_t (*attach_codes)(
      irc_call *call, size_t index, const int8_t *codes, size_t code_count, const float *scales,
      const int8_t *zeros, size_t scale_count);

  /* A tensor of the checkpoint by its name, as it is there: its extents (shape has room for 8), and its elements in order. */
  int32_t (*tensor_shape)(irc_call *call, const char *name, size_t *shape, size_t *rank);
  int32_t (*read_tensor)(irc_call *call, const char *name, float *elements, size_t count);
} irc_host;

/* A pass. Its functions return IRC_OK or IRC_FAILED, and may not leave it by an exception, a panic or a jump. */
typedef struct irc_pass {
  uint32_t struct_size; /* of the table as the plugin knows it */
  uint32_t api_major;
  uint32_t api_minor;
  uint32_t reserved;
  const char *description; /* JSON: docs/plugin-abi.md */
  /* Whether options go together; NULL if they always do. Only options can be asked for, and `fail` says what is wrong. */
  int32_t (*check)(const irc_host *host, irc_call *call);
  int32_t (*run)(const irc_host *host, irc_call *call);
} irc_pass;

typedef struct irc_plugin_table {
  char mark[24];        /* IRC_PLUGIN_MARK */
  uint32_t struct_size; /* of the table as the plugin knows it */
  uint32_t api_major;
  uint32_t api_minor;
  uint32_t kind;
  char compiler[256];   /* who compiled the plugin; Swift has no stable layout of types between compilers */
  char kit[64];         /* fingerprint of the build that it was compiled against, in hexadecimal; empty in C */
  /* IRC_PLUGIN_SWIFT: puts what it adds into a Swift array, of type [any Plugin.Type]. */
  void (*swift_plugins)(void *plugins);
  /* IRC_PLUGIN_C: the passes. */
  const irc_pass *const *passes;
  size_t pass_count;
} irc_plugin_table;

/* The plugin's table, or NULL where the plugin cannot serve a host of this version. May be called more than once. */
IRC_PLUGIN_EXPORT const irc_plugin_table *irc_plugin_query(
    uint32_t host_major, uint32_t host_minor);

/* What a pass's table begins with. */
#define IRC_PASS_HEAD (uint32_t)sizeof(irc_pass), IRC_PLUGIN_API_MAJOR, IRC_PLUGIN_API_MINOR, 0

#define IRC_PLUGIN_QUERY                                                                           \
  const irc_plugin_table *irc_plugin_query(uint32_t host_major, uint32_t host_minor) {             \
    (void)host_major;                                                                              \
    (void)host_minor;                                                                              \
    return &irc_plugin_own_table;                                                                  \
  }

/* Defines irc_plugin_query for a plugin in C or C++ with these passes: IRC_C_PLUGIN(&first, &second) */
#define IRC_C_PLUGIN(...)                                                                          \
  static const irc_pass *const irc_plugin_own_passes[] = {__VA_ARGS__};                            \
  static const irc_plugin_table irc_plugin_own_table = {                                           \
      IRC_PLUGIN_MARK,      (uint32_t)sizeof(irc_plugin_table),                                    \
      IRC_PLUGIN_API_MAJOR, IRC_PLUGIN_API_MINOR,                                                  \
      IRC_PLUGIN_C,         __VERSION__,                                                           \
      "",                   NULL,                                                                  \
      irc_plugin_own_passes, sizeof irc_plugin_own_passes / sizeof *irc_plugin_own_passes};        \
  IRC_PLUGIN_QUERY

/* Defines irc_plugin_query for a plugin in Swift; 'irc plugin build' writes the one line that uses it. */
#define IRC_SWIFT_PLUGIN(kit_fingerprint, plugins_function)                                         \
  static const irc_plugin_table irc_plugin_own_table = {                                           \
      IRC_PLUGIN_MARK,      (uint32_t)sizeof(irc_plugin_table), IRC_PLUGIN_API_MAJOR,              \
      IRC_PLUGIN_API_MINOR, IRC_PLUGIN_SWIFT,                   __VERSION__,                       \
      kit_fingerprint,      plugins_function,                    NULL,                              \
      0};                                                                                          \
  IRC_PLUGIN_QUERY

#ifdef __cplusplus
}
#endif

#endif
