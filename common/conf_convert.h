/* conf_convert.h - what the files that convert values share; conf_*.c only */
#ifndef COMMON_CONF_CONVERT_H
#define COMMON_CONF_CONVERT_H
#include "common/conf.h"
#include "common/conf_keys.h"

/* one conversion under way */
struct convert {
    const struct conf_key *key;
    const char *text;
    bool quoted;
    const char *dir;
    struct conf_list *files;
    struct why *why;
};

/* conf_refuse - ERR_CONF with what is allowed, and the nearest of words (NULL:
 * no words) */
enum err conf_refuse(const struct convert *c, const char *const *words,
                     const char *allowed);

/* conf_replace - a new text for a field that owns one */
void conf_replace(char **field, char *text);

/* what a field is to its memory, whatever its text means */
enum conf_keep {
    CONF_KEEP_NOTHING,
    CONF_KEEP_BOOL,
    CONF_KEEP_LONG,
    CONF_KEEP_RANGE,
    CONF_KEEP_TIME,
    CONF_KEEP_TEXT,
    CONF_KEEP_LIST,
    CONF_KEEP_ADDRS,
    CONF_KEEP_SHARE,
    CONF_KEEP_RATE,
    CONF_KEEP_MASK,
    CONF_KEEP_NETS,
    CONF_KEEP_HEADERS
};

/* conf_keep_of - by its type */
enum conf_keep conf_keep_of(const struct conf_key *key);

/* conf_set_* - the text becomes the field, or ERR_CONF and why: what is
 * allowed. Users, groups, files: conf_names.c */
enum err conf_set_id(const struct convert *c, char **out);
enum err conf_set_ids(const struct convert *c, struct conf_list *out);
enum err conf_set_owner(const struct convert *c, char **out);
enum err conf_set_path(const struct convert *c, char **out);
enum err conf_set_paths(const struct convert *c, struct conf_list *out);
enum err conf_set_chroot(const struct convert *c, char **out);
enum err conf_set_log(const struct convert *c, char **out);

/* names that peers see: conf_web.c */
enum err conf_set_host(const struct convert *c, char **out);
enum err conf_set_alpn(const struct convert *c, struct conf_list *out);
enum err conf_set_url_path(const struct convert *c, char **out);

/* addresses: conf_addrs.c */
enum err conf_set_addrs(const struct convert *c, struct conf_addrs *out);
void conf_addrs_copy(const struct conf_addrs *from, struct conf_addrs *to);
void conf_addrs_free(struct conf_addrs *addrs);

/* limits and networks: conf_limit.c */
enum err conf_set_share(const struct convert *c, struct conf_share *out);
enum err conf_set_rate(const struct convert *c, struct conf_rate *out);
enum err conf_set_mask(const struct convert *c, struct net_mask *out);
enum err conf_set_nets(const struct convert *c, struct conf_nets *out);
void conf_nets_copy(const struct conf_nets *from, struct conf_nets *to);
void conf_nets_free(struct conf_nets *nets);
/* conf_*_text - the way back; the caller frees; NULL: not set */
char *conf_share_text(const struct conf_share *share);
char *conf_rate_text(const struct conf_rate *rate);
char *conf_mask_text(const struct net_mask *mask);
char *conf_nets_text(const struct conf_nets *nets);

/* headers of a route: conf_header.c */
void conf_headers_free(struct conf_route *route);
#endif
