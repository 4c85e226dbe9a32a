/*
 * conf_keys.c - the one table of sections and keys
 *
 * Owns names, types, defaults and bounds. Holds no code but look-ups. A new
 * key is a row here, an `.It Ic` in mtlsd.conf.5 and a line in etc/mtlsd.conf;
 * test_conf compares the three.
 */
#include "common/conf_keys.h"
#include "common/conf.h"
#include "common/suite.h"
#include "common/text.h"
#include <limits.h>
#include <string.h>

static const struct conf_word level_words[] = {
    { "error", LOG_L_ERROR },   { "warn", LOG_L_WARN },
    { "notice", LOG_L_NOTICE }, { "info", LOG_L_INFO },
    { "debug", LOG_L_DEBUG },   { NULL, 0 },
};
static const struct conf_word format_words[] = {
    { "logfmt", LOG_F_LOGFMT },
    { "json", LOG_F_JSON },
    { NULL, 0 },
};
static const struct conf_word confine_words[] = {
    { "strict", CONF_CONFINE_STRICT },
    { "degrade", CONF_CONFINE_DEGRADE },
    { NULL, 0 },
};
static const struct conf_word protocol_words[] = {
    { "tcp", CONF_PROTOCOL_TCP },
    { NULL, 0 },
};
static const struct conf_word verify_words[] = {
    { "require", CONF_VERIFY_REQUIRE },
    { "optional", CONF_VERIFY_OPTIONAL },
    { "none", CONF_VERIFY_NONE },
    { NULL, 0 },
};
static const struct conf_word tls_words[] = {
    { "1.2", CONF_TLS_12 },
    { "1.3", CONF_TLS_13 },
    { "TLSv1.2", CONF_TLS_12 },
    { "TLSv1.3", CONF_TLS_13 },
    { NULL, 0 },
};

#define SECOND INT64_C(1000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)
/* poll(2) and its kind count milliseconds in an int: 24 days */
#define LONGEST (24 * DAY)

#define IN_MTLSD(name, type, field, preset, min, max, words, fixed)     \
    {                                                                   \
        CONF_IN_MTLSD, name, type, offsetof(struct conf_global, field), \
            preset, min, max, words, fixed                              \
    }
#define IN_SERVICE(name, type, field, preset, min, max, words, fixed)      \
    {                                                                      \
        CONF_IN_SERVICE, name, type, offsetof(struct conf_service, field), \
            preset, min, max, words, fixed                                 \
    }

/* clang-format off */
const struct conf_key conf_keys[] = {
    { CONF_IN_MTLSD, "include", CONF_T_INCLUDE, 0, NULL, 0, 0, NULL, false },
    IN_MTLSD("user", CONF_T_ID, user, NULL, 0, 0, NULL, true),
    IN_MTLSD("group", CONF_T_ID, group, NULL, 0, 0, NULL, true),
    IN_MTLSD("groups", CONF_T_IDS, groups, NULL, 0, 0, NULL, true),
    IN_MTLSD("chroot", CONF_T_CHROOT, chroot, "auto", 0, 0, NULL, true),
    IN_MTLSD("log", CONF_T_LOG, log, "stderr", 0, 0, NULL, true),
    IN_MTLSD("log_level", CONF_T_WORD, log_level, "info", 0, 0,
             level_words, true),
    IN_MTLSD("log_format", CONF_T_WORD, log_format, "logfmt", 0, 0,
             format_words, true),
    IN_MTLSD("pid_file", CONF_T_PATH, pid_file, NULL, 0, 0, NULL, true),
    IN_MTLSD("confine", CONF_T_WORD, confine, NULL, 0, 0,
             confine_words, true),
    IN_MTLSD("reader_dirs", CONF_T_PATHS, reader_dirs, NULL, 0, 0, NULL, true),
    IN_MTLSD("unsafe_reader", CONF_T_BOOL, unsafe_reader, "no", 0, 0,
             NULL, true),
    IN_MTLSD("keepers", CONF_T_LONG, keepers, NULL, 1, 256, NULL, false),
    IN_MTLSD("drain_timeout", CONF_T_TIME_NEVER, drain_timeout, "30s",
             0, LONGEST, NULL, false),
    IN_MTLSD("reload_retry", CONF_T_TIME_NEVER, reload_retry, "1m",
             SECOND, LONGEST, NULL, false),
    IN_MTLSD("resolve_interval", CONF_T_TIME, resolve_interval, "30s",
             SECOND, LONGEST, NULL, true),

    IN_SERVICE("listen", CONF_T_LISTEN, listen, NULL, 0, 0, NULL, true),
    IN_SERVICE("listen_mode", CONF_T_OCTAL, listen_mode, "0600", 0, 0,
               NULL, true),
    IN_SERVICE("listen_owner", CONF_T_OWNER, listen_owner, NULL, 0, 0,
               NULL, true),
    IN_SERVICE("backlog", CONF_T_LONG, backlog, "1024", 1, 65535, NULL, true),
    IN_SERVICE("protocol", CONF_T_WORD, protocol, "tcp", 0, 0,
               protocol_words, false),
    IN_SERVICE("cert", CONF_T_PATH, cert, NULL, 0, 0, NULL, false),
    IN_SERVICE("key", CONF_T_PATH, key, NULL, 0, 0, NULL, false),
    IN_SERVICE("ca", CONF_T_PATH, ca, NULL, 0, 0, NULL, false),
    IN_SERVICE("verify", CONF_T_WORD, verify, "require", 0, 0,
               verify_words, false),
    IN_SERVICE("verify_depth", CONF_T_LONG, verify_depth, "2", 0, 10,
               NULL, false),
    IN_SERVICE("tls_min", CONF_T_WORD, tls_min, "1.2", 0, 0, tls_words, false),
    IN_SERVICE("tls_max", CONF_T_WORD, tls_max, "1.3", 0, 0, tls_words, false),
    IN_SERVICE("ciphers", CONF_T_CIPHERS, ciphers, SUITE_DEFAULT_12, 0, 0,
               NULL, false),
    IN_SERVICE("ciphersuites", CONF_T_CIPHERSUITES, ciphersuites,
               SUITE_DEFAULT_13, 0, 0, NULL, false),
    IN_SERVICE("groups", CONF_T_GROUPS, groups, SUITE_DEFAULT_GROUPS, 0, 0,
               NULL, false),
    IN_SERVICE("workers", CONF_T_LONG, workers, "64", 1, 65536, NULL, false),
    IN_SERVICE("max_use", CONF_T_COUNT, max_use, "1000", 1, 1000000000,
               NULL, false),
    IN_SERVICE("handshake_timeout", CONF_T_TIME, handshake_timeout, "10s",
               1, HOUR, NULL, false),
    IN_SERVICE("connect_timeout", CONF_T_TIME, connect_timeout, "5s",
               1, HOUR, NULL, false),
    IN_SERVICE("idle_timeout", CONF_T_TIME_NEVER, idle_timeout, "1h",
               1, LONGEST, NULL, false),
    IN_SERVICE("close_timeout", CONF_T_TIME, close_timeout, "5s",
               1, HOUR, NULL, false),
    IN_SERVICE("upstream", CONF_T_UPSTREAM, upstream, NULL, 0, 0, NULL, false),
    IN_SERVICE("unsafe_plaintext", CONF_T_BOOL, unsafe_plaintext, "no", 0, 0,
               NULL, false),
    { CONF_IN_MTLSD, NULL, CONF_T_INCLUDE, 0, NULL, 0, 0, NULL, false },
};
/* clang-format on */

const char *
conf_section_kind(enum conf_section section)
{
    return section == CONF_IN_MTLSD ? "mtlsd" : "service";
}

const struct conf_key *
conf_key_find(enum conf_section section, const char *name)
{
    const struct conf_key *key;

    for (key = conf_keys; key->name != NULL; key++)
        if (key->section == section && strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

const char *
conf_key_nearest(enum conf_section section, const char *name)
{
    const char *names[sizeof(conf_keys) / sizeof(conf_keys[0])];
    const struct conf_key *key;
    size_t n = 0;

    for (key = conf_keys; key->name != NULL; key++)
        if (key->section == section)
            names[n++] = key->name;
    names[n] = NULL;
    return text_nearest(name, names);
}
