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
    { "http", CONF_PROTOCOL_HTTP },
    { NULL, 0 },
};
static const struct conf_word policy_words[] = {
    { "order", CONF_POLICY_ORDER },
    { "robin", CONF_POLICY_ROBIN },
    { NULL, 0 },
};
static const struct conf_word scope_words[] = {
    { "leaf", CONF_CRL_LEAF },
    { "chain", CONF_CRL_CHAIN },
    { NULL, 0 },
};
static const struct conf_word missing_words[] = {
    { "refuse", CONF_CRL_REFUSE },
    { "admit", CONF_CRL_ADMIT },
    { NULL, 0 },
};
static const struct conf_word end_words[] = {
    { "never", CONF_END_NEVER },
    { "certificate", CONF_END_CERTIFICATE },
    { NULL, 0 },
};
static const struct conf_word verify_words[] = {
    { "require", CONF_VERIFY_REQUIRE },
    { "optional", CONF_VERIFY_OPTIONAL },
    { "none", CONF_VERIFY_NONE },
    { NULL, 0 },
};
static const struct conf_word upstream_verify_words[] = {
    { "require", CONF_VERIFY_REQUIRE },
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
#define LONGEST  (24 * DAY)
#define KILO     1024
#define CRLS_MAX 64

#define IN_MTLSD(name, type, field, preset, min, max, words, fixed)     \
    {                                                                   \
        CONF_IN_MTLSD, name, type, offsetof(struct conf_global, field), \
            preset, min, max, words, fixed, CONF_NEED_NOTHING           \
    }
#define IN_SERVICE(name, type, field, preset, min, max, words, fixed)      \
    {                                                                      \
        CONF_IN_SERVICE, name, type, offsetof(struct conf_service, field), \
            preset, min, max, words, fixed, CONF_NEED_NOTHING              \
    }
/* the client side's TLS: nothing of it is fixed, nor of what follows */
#define IN_CLIENT(name, type, field, preset, min, max, words)              \
    {                                                                      \
        CONF_IN_SERVICE, name, type, offsetof(struct conf_service, field), \
            preset, min, max, words, false, CONF_NEED_TLS                  \
    }
#define IN_HTTP(name, type, field, preset, min, max)                       \
    {                                                                      \
        CONF_IN_SERVICE, name, type, offsetof(struct conf_service, field), \
            preset, min, max, NULL, false, CONF_NEED_HTTP                  \
    }
#define IN_EXEC(name, type, field, preset, min, max, fixed)                \
    {                                                                      \
        CONF_IN_SERVICE, name, type, offsetof(struct conf_service, field), \
            preset, min, max, NULL, fixed, CONF_NEED_EXEC                  \
    }
#define IN_BOTH(name, type, field, preset, words)                             \
    {                                                                         \
        CONF_IN_BOTH, name, type, offsetof(struct conf_route, field), preset, \
            0, 0, words, false, CONF_NEED_NOTHING                             \
    }
#define IN_UPSTREAM(name, type, field, preset, min, max, words)               \
    {                                                                         \
        CONF_IN_BOTH, name, type, offsetof(struct conf_route, field), preset, \
            min, max, words, false, CONF_NEED_UPSTREAM_TLS                    \
    }

/* clang-format off */
const struct conf_key conf_keys[] = {
    { CONF_IN_MTLSD, "include", CONF_T_INCLUDE, 0, NULL, 0, 0, NULL, false,
      CONF_NEED_NOTHING },
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
    IN_MTLSD("watch", CONF_T_BOOL, watch, "yes", 0, 0, NULL, false),
    IN_MTLSD("keepers", CONF_T_LONG, keepers, NULL, 1, 256, NULL, false),
    IN_MTLSD("drain_timeout", CONF_T_TIME_NEVER, drain_timeout, "30s",
             0, LONGEST, NULL, false),
    IN_MTLSD("reload_retry", CONF_T_TIME_NEVER, reload_retry, "1m",
             SECOND, LONGEST, NULL, false),
    IN_MTLSD("resolve_interval", CONF_T_TIME, resolve_interval, "30s",
             SECOND, LONGEST, NULL, true),
    IN_MTLSD("inetd_timeout", CONF_T_TIME_NEVER, inetd_timeout, "5m",
             SECOND, LONGEST, NULL, true),

    IN_SERVICE("listen", CONF_T_LISTEN, listen, NULL, 0, 0, NULL, true),
    IN_SERVICE("listen_tls", CONF_T_BOOL, listen_tls, "yes", 0, 0,
               NULL, false),
    IN_SERVICE("listen_mode", CONF_T_OCTAL, listen_mode, "0600", 0, 0,
               NULL, true),
    IN_SERVICE("listen_owner", CONF_T_OWNER, listen_owner, NULL, 0, 0,
               NULL, true),
    IN_SERVICE("backlog", CONF_T_LONG, backlog, "1024", 1, 65535, NULL, true),
    IN_SERVICE("from", CONF_T_NETS, from, NULL, 0, 0, NULL, false),
    IN_SERVICE("priority_from", CONF_T_NETS, priority_from, NULL, 0, 0,
               NULL, false),
    IN_SERVICE("protocol", CONF_T_WORD, protocol, "tcp", 0, 0,
               protocol_words, false),
    IN_CLIENT("cert", CONF_T_PATHS, client.cert, NULL, 1, 8, NULL),
    IN_CLIENT("key", CONF_T_PATHS, client.key, NULL, 1, 8, NULL),
    IN_CLIENT("sni_strict", CONF_T_BOOL, sni_strict, "no", 0, 0, NULL),
    IN_CLIENT("ca", CONF_T_PATH, client.ca, NULL, 0, 0, NULL),
    IN_CLIENT("crl", CONF_T_PATHS, client.crl, NULL, 1, CRLS_MAX, NULL),
    IN_CLIENT("crl_scope", CONF_T_WORD, client.crl_scope, "leaf", 0, 0,
              scope_words),
    IN_CLIENT("crl_missing", CONF_T_WORD, client.crl_missing, "refuse", 0, 0,
              missing_words),
    IN_CLIENT("verify", CONF_T_WORD, client.verify, "require", 0, 0,
              verify_words),
    IN_CLIENT("verify_depth", CONF_T_LONG, client.verify_depth, "2", 0, 10,
              NULL),
    IN_CLIENT("unsafe_x509v1", CONF_T_BOOL, client.unsafe_x509v1, "no", 0, 0,
              NULL),
    IN_CLIENT("tls_min", CONF_T_WORD, client.min, "1.2", 0, 0, tls_words),
    IN_CLIENT("tls_max", CONF_T_WORD, client.max, "1.3", 0, 0, tls_words),
    IN_CLIENT("ciphers", CONF_T_CIPHERS, client.ciphers, SUITE_DEFAULT_12,
              0, 0, NULL),
    IN_CLIENT("ciphersuites", CONF_T_CIPHERSUITES, client.ciphersuites,
              SUITE_DEFAULT_13, 0, 0, NULL),
    IN_CLIENT("groups", CONF_T_GROUPS, client.groups, SUITE_DEFAULT_GROUPS,
              0, 0, NULL),
    IN_CLIENT("alpn", CONF_T_ALPN, client.alpn, NULL, 0, 0, NULL),
    IN_SERVICE("workers", CONF_T_RANGE, workers_min, "4-256", 1, 65536,
               NULL, false),
    IN_SERVICE("workers_spare", CONF_T_LONG, workers_spare, "4", 1, 65536,
               NULL, false),
    IN_SERVICE("max_use", CONF_T_COUNT, max_use, "1000", 1, 1000000000,
               NULL, false),
    IN_SERVICE("max_handshaking", CONF_T_SHARE, max_handshaking, "50%",
               1, 65536, NULL, false),
    IN_SERVICE("per_source", CONF_T_LIMIT, per_source, "none", 1, 65536,
               NULL, false),
    IN_SERVICE("per_source_handshaking", CONF_T_LIMIT, per_source_handshaking,
               "none", 1, 65536, NULL, false),
    IN_SERVICE("per_source_rate", CONF_T_RATE, per_source_rate, "none",
               1, 1000000, NULL, false),
    IN_SERVICE("per_source_penalty", CONF_T_TIME_NONE, per_source_penalty,
               "none", 100, 200 * SECOND, NULL, false),
    IN_SERVICE("per_source_mask", CONF_T_MASK, per_source_mask, "32/64", 0, 0,
               NULL, false),
    IN_SERVICE("dead_peer_timeout", CONF_T_TIME_NEVER, dead_peer_timeout, "2m",
               SECOND, 12 * HOUR, NULL, false),
    IN_SERVICE("handshake_timeout", CONF_T_TIME, handshake_timeout, "10s",
               1, HOUR, NULL, false),
    IN_SERVICE("connect_timeout", CONF_T_TIME, connect_timeout, "5s",
               1, HOUR, NULL, false),
    IN_SERVICE("idle_timeout", CONF_T_TIME_NEVER, idle_timeout, "1h",
               1, LONGEST, NULL, false),
    IN_SERVICE("session_timeout", CONF_T_TIME_NEVER, session_timeout, "never",
               SECOND, LONGEST, NULL, false),
    IN_CLIENT("session_end", CONF_T_WORD, session_end, "never", 0, 0,
              end_words),
    IN_SERVICE("close_timeout", CONF_T_TIME, close_timeout, "5s",
               1, HOUR, NULL, false),
    IN_HTTP("head_timeout", CONF_T_TIME, head_timeout, "10s", 1, HOUR),
    IN_HTTP("body_timeout", CONF_T_TIME, body_timeout, "30s", 1, HOUR),
    IN_HTTP("keepalive_timeout", CONF_T_TIME, keepalive_timeout, "15s",
            1, HOUR),
    IN_HTTP("head_max", CONF_T_SIZE, head_max, "16k", KILO, 1024 * KILO),
    IN_HTTP("headers_max", CONF_T_LONG, headers_max, "100", 1, 1000),
    IN_EXEC("exec_user", CONF_T_ID, exec.user, NULL, 0, 0, true),
    IN_EXEC("exec_group", CONF_T_ID, exec.group, NULL, 0, 0, true),
    IN_EXEC("exec_dir", CONF_T_PATH, exec.dir, "/", 0, 0, false),
    IN_EXEC("exec_kill_timeout", CONF_T_TIME, exec.kill_timeout, "5s",
            0, HOUR, false),
    IN_EXEC("exec_files", CONF_T_LONG, exec.files, "256", 8, 1048576, false),
    IN_EXEC("exec_memory", CONF_T_SIZE_NONE, exec.memory, "none",
            1024 * KILO, INT64_C(1) << 40, false),
    IN_EXEC("exec_processes", CONF_T_LIMIT, exec.processes, "none",
            1, 1048576, false),
    IN_EXEC("exec_cpu", CONF_T_TIME_NONE, exec.cpu, "none",
            SECOND, LONGEST, false),
    IN_SERVICE("unsafe_plaintext", CONF_T_BOOL, unsafe_plaintext, "no", 0, 0,
               NULL, false),

    { CONF_IN_ROUTE, "service", CONF_T_SERVICE, 0, NULL, 0, 0, NULL, false,
      CONF_NEED_NOTHING },
    { CONF_IN_ROUTE, "path", CONF_T_URL_PATH, offsetof(struct conf_route, path),
      NULL, 0, 0, NULL, false, CONF_NEED_NOTHING },

    IN_BOTH("upstream", CONF_T_UPSTREAM, upstream, NULL, NULL),
    IN_BOTH("upstream_policy", CONF_T_WORD, policy, "order", policy_words),
    IN_UPSTREAM("upstream_name", CONF_T_HOST, upstream_name, NULL, 0, 0, NULL),
    IN_UPSTREAM("upstream_cert", CONF_T_PATHS, side.cert, NULL, 1, 1, NULL),
    IN_UPSTREAM("upstream_key", CONF_T_PATHS, side.key, NULL, 1, 1, NULL),
    IN_UPSTREAM("upstream_ca", CONF_T_PATH, side.ca, NULL, 0, 0, NULL),
    IN_UPSTREAM("upstream_crl", CONF_T_PATHS, side.crl, NULL, 1, CRLS_MAX,
                NULL),
    IN_UPSTREAM("upstream_crl_scope", CONF_T_WORD, side.crl_scope, "leaf",
                0, 0, scope_words),
    IN_UPSTREAM("upstream_crl_missing", CONF_T_WORD, side.crl_missing,
                "refuse", 0, 0, missing_words),
    IN_UPSTREAM("upstream_verify", CONF_T_WORD, side.verify, "require", 0, 0,
                upstream_verify_words),
    IN_UPSTREAM("upstream_verify_depth", CONF_T_LONG, side.verify_depth, "2",
                0, 10, NULL),
    IN_UPSTREAM("upstream_unsafe_x509v1", CONF_T_BOOL, side.unsafe_x509v1,
                "no", 0, 0, NULL),
    IN_UPSTREAM("upstream_tls_min", CONF_T_WORD, side.min, "1.2", 0, 0,
                tls_words),
    IN_UPSTREAM("upstream_tls_max", CONF_T_WORD, side.max, "1.3", 0, 0,
                tls_words),
    IN_UPSTREAM("upstream_ciphers", CONF_T_CIPHERS, side.ciphers,
                SUITE_DEFAULT_12, 0, 0, NULL),
    IN_UPSTREAM("upstream_ciphersuites", CONF_T_CIPHERSUITES,
                side.ciphersuites, SUITE_DEFAULT_13, 0, 0, NULL),
    IN_UPSTREAM("upstream_groups", CONF_T_GROUPS, side.groups,
                SUITE_DEFAULT_GROUPS, 0, 0, NULL),
    IN_UPSTREAM("upstream_alpn", CONF_T_ALPN, side.alpn, NULL, 0, 0, NULL),
    { CONF_IN_BOTH, CONF_HEADER_KEY, CONF_T_HEADER, 0, NULL, 0, 0, NULL, false,
      CONF_NEED_HTTP },
    { CONF_IN_MTLSD, NULL, CONF_T_INCLUDE, 0, NULL, 0, 0, NULL, false,
      CONF_NEED_NOTHING },
};
/* clang-format on */

const char *
conf_section_kind(enum conf_section section)
{
    if (section == CONF_IN_MTLSD)
        return "mtlsd";
    return section == CONF_IN_ROUTE ? "route" : "service";
}

bool
conf_key_in(const struct conf_key *key, enum conf_section section)
{
    return key->section == section ||
           (key->section == CONF_IN_BOTH && section != CONF_IN_MTLSD);
}

static bool
is_name_of(const struct conf_key *key, const char *name)
{
    size_t prefix = strlen(CONF_HEADER_PREFIX);

    if (key->type == CONF_T_HEADER)
        return strncmp(name, CONF_HEADER_PREFIX, prefix) == 0 &&
               name[prefix] != '\0';
    return strcmp(key->name, name) == 0;
}

const struct conf_key *
conf_key_find(enum conf_section section, const char *name)
{
    const struct conf_key *key;

    for (key = conf_keys; key->name != NULL; key++)
        if (conf_key_in(key, section) && is_name_of(key, name))
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
        if (conf_key_in(key, section))
            names[n++] = key->name;
    names[n] = NULL;
    return text_nearest(name, names);
}
