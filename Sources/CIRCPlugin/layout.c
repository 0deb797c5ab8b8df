/* The layout of irc_plugin.h, which compiled plugins rely on: what stands here never changes, and new fields come behind. */
#include "irc_plugin_host.h"

#define AT(type, field, place) \
  _Static_assert(offsetof(type, field) == (place), #type "." #field " has moved")

_Static_assert(sizeof(size_t) == 8 && sizeof(void *) == 8, "plugins are for machines of 64 bits");

AT(irc_plugin_table, mark, 0);
AT(irc_plugin_table, struct_size, 24);
AT(irc_plugin_table, api_major, 28);
AT(irc_plugin_table, api_minor, 32);
AT(irc_plugin_table, kind, 36);
AT(irc_plugin_table, compiler, 40);
AT(irc_plugin_table, kit, 296);
AT(irc_plugin_table, swift_plugins, 360);
AT(irc_plugin_table, passes, 368);
AT(irc_plugin_table, pass_count, 376);
_Static_assert(sizeof(irc_plugin_table) == IRC_PLUGIN_TABLE_SIZE_1_0, "version 1.0");

AT(irc_pass, struct_size, 0);
AT(irc_pass, api_major, 4);
AT(irc_pass, api_minor, 8);
AT(irc_pass, reserved, 12);
AT(irc_pass, description, 16);
AT(irc_pass, check, 24);
AT(irc_pass, run, 32);
_Static_assert(sizeof(irc_pass) == IRC_PASS_SIZE_1_0, "version 1.0");

AT(irc_host, struct_size, 0);
AT(irc_host, api_major, 4);
AT(irc_host, api_minor, 8);
AT(irc_host, reserved, 12);
AT(irc_host, fail, 16);
AT(irc_host, remark, 24);
AT(irc_host, count, 32);
AT(irc_host, integer, 40);
AT(irc_host, number, 48);
AT(irc_host, flag, 56);
AT(irc_host, text, 64);
AT(irc_host, find_sites, 72);
AT(irc_host, site, 80);
AT(irc_host, site_statistics, 88);
AT(irc_host, apply_diagonal, 96);
AT(irc_host, apply_permutation, 104);
AT(irc_host, apply_rotation, 112);
AT(irc_host, apply_matrices, 120);
AT(irc_host, find_weights, 128);
AT(irc_host, weight, 136);
AT(irc_host, read_weight, 144);
AT(irc_host, read_scales, 152);
AT(irc_host, weight_statistics, 160);
AT(irc_host, attach_codes, 168);
AT(irc_host, tensor_shape, 176);
AT(irc_host, read_tensor, 184);
_Static_assert(sizeof(irc_host) == 192, "version 1.0");

AT(irc_site, struct_size, 0);
AT(irc_site, admits, 4);
AT(irc_site, name, 8);
AT(irc_site, role, 16);
AT(irc_site, group, 24);
AT(irc_site, width, 32);
AT(irc_site, blocks, 40);
AT(irc_site, online, 48);
_Static_assert(sizeof(irc_site) == IRC_SITE_SIZE_1_0, "version 1.0");

AT(irc_statistics, struct_size, 0);
AT(irc_statistics, reserved, 4);
AT(irc_statistics, width, 8);
AT(irc_statistics, rows, 16);
AT(irc_statistics, mean, 24);
AT(irc_statistics, mean_square, 32);
AT(irc_statistics, absolute_maximum, 40);
AT(irc_statistics, blocks, 48);
AT(irc_statistics, second_moment, 56);
_Static_assert(sizeof(irc_statistics) == IRC_STATISTICS_SIZE_1_0, "version 1.0");

AT(irc_weight, struct_size, 0);
AT(irc_weight, has_zeros, 4);
AT(irc_weight, name, 8);
AT(irc_weight, format, 16);
AT(irc_weight, scale_format, 24);
AT(irc_weight, rows, 32);
AT(irc_weight, columns, 40);
AT(irc_weight, scale_rows, 48);
AT(irc_weight, scale_columns, 56);
AT(irc_weight, group, 64);
AT(irc_weight, lowest_code, 72);
AT(irc_weight, highest_code, 76);
AT(irc_weight, values, 80);
AT(irc_weight, value_count, 88);
AT(irc_weight, numbers, 96);
_Static_assert(sizeof(irc_weight) == IRC_WEIGHT_SIZE_1_0, "version 1.0");
