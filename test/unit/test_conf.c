/* test_conf.c - configurations as a whole: errors against golden text, round
 * trips, and table, manual page and default file against each other.
 * Runs from the top of the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/conf_keys.h"
#include "common/suite.h"
#include "common/words.h"
#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define GOLDEN      "test/unit/golden/conf/"
#define PAGE        "etc/mtlsd.conf.5"
#define DEFAULTS    "etc/mtlsd.conf"

/* ---- files ---- */

static char dir[64]; /* a directory of this run, with a slash behind */

/* append - a and b behind what is in to */
static void
append(char *to, size_t size, const char *a, const char *b)
{
    size_t used = strlen(to);

    assert_true(used + strlen(a) + strlen(b) < size);
    (void)snprintf(to + used, size - used, "%s%s", a, b);
}

static int
make_dir(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/mtlsd-test.XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    append(dir, sizeof(dir), "/", "");
    return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int
remove_dir(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* in_dir - the path of a file of this run; two at a time */
static const char *
in_dir(const char *name)
{
    static char path[2][128];
    static unsigned turn;

    turn = !turn;
    (void)snprintf(path[turn], sizeof(path[turn]), "%s%s", dir, name);
    return path[turn];
}

static const char *
put(const char *name, const char *text)
{
    const char *path = in_dir(name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static char *
slurp(const char *path)
{
    FILE *f = fopen(path, "r");
    size_t len = 0, n;
    char *text;

    if (f == NULL)
        fail_msg("%s: %s (run from the top of the tree)", path,
                 strerror(errno));
    text = malloc(1 << 20);
    assert_non_null(text);
    while ((n = fread(text + len, 1, (1 << 20) - 1 - len, f)) > 0)
        len += n;
    text[len] = '\0';
    (void)fclose(f);
    return text;
}

/* without - text with every occurrence of word taken out */
static void
without(char *text, const char *word)
{
    size_t len = strlen(word);
    char *at;

    while (len > 0 && (at = strstr(text, word)) != NULL)
        memmove(at, at + len, strlen(at + len) + 1);
}

static char *
errors_text(const struct conf_errors *errors)
{
    const size_t size = 1 << 16;
    char *text = calloc(1, size);
    size_t i;

    assert_non_null(text);
    for (i = 0; i < errors->count; i++)
        append(text, size, errors->text[i], "\n");
    return text;
}

/* load - a configuration that must be good */
static struct conf *
load(const char *path)
{
    struct conf_errors errors;
    struct conf *conf;

    if (conf_load(path, &conf, &errors) != ERR_OK)
        fail_msg("%s: %s", path, errors.text[0]);
    assert_int_equal(errors.count, 0);
    conf_errors_free(&errors);
    return conf;
}

/* only_error - the one error of a configuration that must be bad */
static void
only_error(const char *path, const char *want)
{
    struct conf_errors errors;
    struct conf *conf;

    assert_int_equal(conf_load(path, &conf, &errors), ERR_CONF);
    assert_null(conf);
    assert_int_equal(errors.count, 1);
    without(errors.text[0], dir);
    assert_string_equal(errors.text[0], want);
    conf_errors_free(&errors);
}

static char *
print(const struct conf *conf)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    assert_non_null(f);
    conf_print(conf, f);
    assert_int_equal(fclose(f), 0);
    return text;
}

/* ---- errors ---- */

/* golden - NAME.conf gives the errors that NAME.err has; paths are taken out.
 * GOLDEN_UPDATE=yes writes them anew: read the difference. */
static bool
golden(const char *path, const char *here)
{
    char err_path[512], *got, *want;
    struct conf_errors errors;
    struct conf *conf;
    bool same;

    assert_int_equal(conf_load(path, &conf, &errors), ERR_CONF);
    got = errors_text(&errors);
    conf_errors_free(&errors);
    without(got, here);
    without(got, GOLDEN);
    (void)snprintf(err_path, sizeof(err_path), "%.*s.err",
                   (int)(strlen(path) - 5), path);
    if (getenv("GOLDEN_UPDATE") != NULL) {
        FILE *f = fopen(err_path, "w");

        assert_non_null(f);
        (void)fputs(got, f);
        (void)fclose(f);
    }
    want = slurp(err_path);
    same = strcmp(got, want) == 0;
    if (!same)
        print_error("%s\n--- want\n%s--- got\n%s", path, want, got);
    free(want);
    free(got);
    return same;
}

static void
every_error_reads_as_agreed(void **state)
{
    char *here = realpath(GOLDEN, NULL), slashed[4096] = "";
    size_t i, bad = 0;
    glob_t found;

    (void)state;
    assert_non_null(here);
    append(slashed, sizeof(slashed), here, "/");
    assert_int_equal(glob(GOLDEN "*.conf", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 90);
    for (i = 0; i < found.gl_pathc; i++)
        bad += !golden(found.gl_pathv[i], slashed);
    globfree(&found);
    free(here);
    assert_int_equal(bad, 0);
}

static void
a_file_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    only_error(in_dir("nowhere.conf"),
               "nowhere.conf: cannot be opened: No such file or directory");
    only_error(dir, ": is no regular file");
}

/* ---- good ones ---- */

#define PAIR "cert = service.crt\nkey = service.key\nca = ca.crt\n"

static const char full[] =
    "[mtlsd]\n"
    "user = 1000\n"
    "group = ssl-cert\n"
    "groups = a, \"b\", 7\n"
    "chroot = /var/empty\n"
    "log = 'log/m;tlsd.log'\n"
    "log_level = debug\n"
    "log_format = json\n"
    "pid_file = run/mtlsd.pid\n"
    "confine = degrade\n"
    "reader_dirs = keys, \"/a,b\", \"/c;d\", @dirs\n"
    "unsafe_reader = yes\n"
    "watch = no\n"
    "keepers = 3\n"
    "drain_timeout = never\n"
    "reload_retry = 90s\n"
    "resolve_interval = 36h\n"
    "\n"
    "[service tcp]\n"
    "listen = 8443, 127.0.0.1:9000, [::1]:9000, \"unix:/run/a,b\"\n"
    "listen_mode = 0660\n"
    "listen_owner = a:b\n"
    "backlog = 1\n"
    "cert = service.crt, \"/b,c.crt\"\n"
    "key = service.key, b.key\n"
    "ca = ca.crt\n"
    "crl = a.crl, b.crl\n"
    "crl_scope = chain\n"
    "crl_missing = admit\n"
    "sni_strict = yes\n"
    "unsafe_x509v1 = yes\n"
    "alpn = h2, http/1.1\n"
    "protocol = tcp\n"
    "verify = optional\n"
    "verify_depth = 0\n"
    "tls_min = TLSv1.3\n"
    "tls_max = 1.3\n"
    "ciphers = ECDHE-RSA-AES256-GCM-SHA384\n"
    "ciphersuites = TLS_AES_256_GCM_SHA384\n"
    "groups = secp256r1:x25519\n"
    "workers = 8-65536\n"
    "workers_spare = 100\n"
    "max_use = never\n"
    "from = 0.0.0.0/0, \"2001:db8::/32\", @nets\n"
    "priority_from = 192.0.2.7\n"
    "max_handshaking = 12\n"
    "per_source = 3\n"
    "per_source_handshaking = 2\n"
    "per_source_rate = 90/m\n"
    "per_source_penalty = 1500ms\n"
    "per_source_mask = 24/56\n"
    "dead_peer_timeout = never\n"
    "handshake_timeout = 1ms\n"
    "connect_timeout = 1h\n"
    "idle_timeout = never\n"
    "session_timeout = 8h\n"
    "session_end = certificate\n"
    "close_timeout = 2500ms\n"
    "upstream = db.internal:1, 192.0.2.1:2, 192.0.2.1:2, [2001:db8::1]:3, "
    "unix:/run/x\n"
    "unsafe_plaintext = yes\n"
    "[service Respond]\n"
    "listen = 127.0.0.1:1\n"
    "cert = \"it's.crt\"\n"
    "key = '/k;#.pem'\n"
    "verify = none\n"
    "upstream = respond:404 \"it's, gone\" ; really\n"
    "[service semicolon]\n"
    "listen = unix:/run/s, systemd:web.socket\n" PAIR
    "upstream = 'respond:200 \"a; b # c\"'\n";

static struct conf *
load_full(const char *name)
{
    (void)put("dirs", "# more\n  /listed dir  \n\nrelative\n");
    (void)put("nets", "# office\n198.51.100.0/25\n");
    return load(put(name, full));
}

static void
every_key_reaches_its_field(void **state)
{
    struct conf *conf = load_full("full.conf");
    const struct conf_global *g = &conf->global;
    const struct conf_service *s = conf_service_find(conf, "tcp");

    (void)state;
    assert_string_equal(conf->path, in_dir("full.conf"));
    assert_int_equal(strncmp(conf->dir, dir, strlen(conf->dir)), 0);
    assert_int_equal(conf->files.count, 3);
    assert_string_equal(conf->files.item[1], in_dir("dirs"));
    assert_string_equal(g->user, "1000");
    assert_string_equal(g->group, "ssl-cert");
    assert_int_equal(g->groups.count, 3);
    assert_string_equal(g->groups.item[1], "b");
    assert_string_equal(g->chroot, "/var/empty");
    assert_string_equal(g->log, in_dir("log/m;tlsd.log"));
    assert_int_equal(g->log_level, LOG_L_DEBUG);
    assert_int_equal(g->log_format, LOG_F_JSON);
    assert_string_equal(g->pid_file, in_dir("run/mtlsd.pid"));
    assert_int_equal(g->confine, CONF_CONFINE_DEGRADE);
    assert_int_equal(g->reader_dirs.count, 5);
    assert_string_equal(g->reader_dirs.item[0], in_dir("keys"));
    assert_string_equal(g->reader_dirs.item[1], "/a,b");
    assert_string_equal(g->reader_dirs.item[3], "/listed dir");
    assert_string_equal(g->reader_dirs.item[4], in_dir("relative"));
    assert_true(g->unsafe_reader);
    assert_false(g->watch);
    assert_int_equal(g->keepers, 3);
    assert_true(g->drain_timeout == CLOCK_NEVER);
    assert_true(g->reload_retry == 90000);
    assert_true(g->resolve_interval == 129600000);
    assert_int_equal(conf->service_count, 3);
    assert_non_null(s);
    assert_string_equal(s->file, conf->path);
    assert_int_equal(s->line, 19);
    assert_int_equal(s->listen.count, 5);
    assert_string_equal(s->listen.item[1].text, "8443");
    assert_int_equal(s->listen.item[4].kind, ADDR_UNIX);
    assert_int_equal(s->listen_mode, 0660);
    assert_string_equal(s->listen_owner, "a:b");
    assert_int_equal(s->backlog, 1);
    assert_int_equal(s->client.cert.count, 2);
    assert_string_equal(s->client.cert.item[0], in_dir("service.crt"));
    assert_string_equal(s->client.cert.item[1], "/b,c.crt");
    assert_string_equal(s->client.key.item[0], in_dir("service.key"));
    assert_string_equal(s->client.ca, in_dir("ca.crt"));
    assert_int_equal(s->client.crl.count, 2);
    assert_string_equal(s->client.crl.item[1], in_dir("b.crl"));
    assert_int_equal(s->client.crl_scope, CONF_CRL_CHAIN);
    assert_int_equal(s->client.crl_missing, CONF_CRL_ADMIT);
    assert_true(s->sni_strict && s->listen_tls && s->client.unsafe_x509v1);
    assert_int_equal(s->client.alpn.count, 2);
    assert_string_equal(s->client.alpn.item[1], "http/1.1");
    assert_int_equal(s->client.verify, CONF_VERIFY_OPTIONAL);
    assert_int_equal(s->client.verify_depth, 0);
    assert_int_equal(s->client.min, CONF_TLS_13);
    assert_int_equal(s->client.max, CONF_TLS_13);
    assert_string_equal(s->client.ciphers, "ECDHE-RSA-AES256-GCM-SHA384");
    assert_string_equal(s->client.ciphersuites, "TLS_AES_256_GCM_SHA384");
    assert_string_equal(s->client.groups, "P-256:X25519");
    assert_int_equal(s->workers_min, 8);
    assert_int_equal(s->workers_max, 65536);
    assert_int_equal(s->workers_spare, 100);
    assert_int_equal(s->max_use, 0);
    assert_int_equal(s->from.count, 3);
    assert_int_equal(s->from.item[0].bits, 96);
    assert_int_equal(s->from.item[1].bits, 32);
    assert_int_equal(s->from.item[2].bits, 121);
    assert_int_equal(s->from.item[2].addr[12], 198);
    assert_int_equal(s->priority_from.count, 1);
    assert_int_equal(s->priority_from.item[0].bits, 128);
    assert_int_equal(conf_handshaking_max(s), 12);
    assert_int_equal(s->per_source, 3);
    assert_int_equal(s->per_source_handshaking, 2);
    assert_int_equal(s->per_source_rate.count, 90);
    assert_int_equal(s->per_source_rate.per_ms, 60000);
    assert_true(s->per_source_penalty == 1500);
    assert_int_equal(s->per_source_mask.v4, 24);
    assert_int_equal(s->per_source_mask.v6, 56);
    assert_true(s->dead_peer_timeout == CLOCK_NEVER);
    assert_true(s->handshake_timeout == 1);
    assert_true(s->connect_timeout == 3600000);
    assert_true(s->idle_timeout == CLOCK_NEVER);
    assert_true(s->session_timeout == 28800000);
    assert_int_equal(s->session_end, CONF_END_CERTIFICATE);
    assert_true(s->close_timeout == 2500);
    assert_int_equal(s->route->upstream.count, 5);
    assert_int_equal(s->route->upstream.item[0].kind, ADDR_NAME);
    assert_string_equal(s->route->upstream.item[3].text, "[2001:db8::1]:3");
    assert_true(s->unsafe_plaintext);
    s = conf_service_find(conf, "Respond");
    assert_non_null(s);
    assert_null(s->client.ca);
    assert_int_equal(s->route->upstream.item[0].code, 404);
    assert_string_equal(s->route->upstream.item[0].body, "it's, gone");
    assert_null(conf_service_find(conf, "respond"));
    conf_free(conf);
    conf_free(NULL);
}

#define LEAST "[service web]\nlisten = 8443\n" PAIR "upstream = 127.0.0.1:80\n"
static const char least[] = LEAST;

static void
defaults_are_the_table(void **state)
{
    struct conf *conf = load(put("least.conf", least));
    const struct conf_global *g = &conf->global;
    const struct conf_service *s = conf->service;

    (void)state;
    assert_null(g->user);
    assert_null(g->group);
    assert_int_equal(g->groups.count, 0);
    assert_string_equal(g->chroot, "auto");
    assert_string_equal(g->log, "stderr");
    assert_int_equal(g->log_level, LOG_L_INFO);
    assert_int_equal(g->log_format, LOG_F_LOGFMT);
    assert_null(g->pid_file);
    assert_int_equal(g->confine, CONF_CONFINE_AUTO);
    assert_int_equal(g->keepers, 0);
    assert_true(g->drain_timeout == 30000 && g->reload_retry == 60000);
    assert_int_equal(s->listen_mode, 0600);
    assert_int_equal(s->client.verify, CONF_VERIFY_REQUIRE);
    assert_int_equal(s->client.min, CONF_TLS_12);
    assert_int_equal(s->client.max, CONF_TLS_13);
    assert_string_equal(s->client.groups, SUITE_DEFAULT_GROUPS);
    assert_int_equal(s->workers_min, 4);
    assert_int_equal(s->workers_max, 256);
    assert_int_equal(s->workers_spare, 4);
    assert_int_equal(conf_workers_max(s), 256);
    assert_int_equal(conf_handshaking_max(s), 128);
    assert_int_equal(s->from.count + s->priority_from.count, 0);
    assert_int_equal(s->per_source + s->per_source_handshaking, 0);
    assert_int_equal(s->per_source_rate.count, 0);
    assert_true(s->per_source_penalty == 0);
    assert_int_equal(s->per_source_mask.v4, 32);
    assert_int_equal(s->per_source_mask.v6, 64);
    assert_true(s->dead_peer_timeout == 120000);
    assert_int_equal(s->max_use, 1000);
    assert_true(s->idle_timeout == 3600000);
    assert_true(s->session_timeout == CLOCK_NEVER);
    assert_int_equal(s->session_end, CONF_END_NEVER);
    assert_false(s->unsafe_plaintext);
    conf_free(conf);
}

static void
round_trip(struct conf *conf)
{
    char *first = print(conf), *second;
    struct conf *again;

    assert_int_equal(mkdir(in_dir("elsewhere"), 0700) == 0 || errno == EEXIST,
                     1);
    again = load(put("elsewhere/printed.conf", first));
    second = print(again);
    assert_string_equal(first, second);
    assert_int_equal(again->service_count, conf->service_count);
    free(first);
    free(second);
    conf_free(again);
    conf_free(conf);
}

static void
what_is_printed_reads_back(void **state)
{
    struct conf *conf;
    char *text;

    (void)state;
    round_trip(load(put("least.conf", least)));
    round_trip(load_full("full.conf"));
    round_trip(load(put("quote.conf", "[mtlsd]\nreader_dirs = \"/it's;\"\n"
                                      "pid_file = \"/it's;\"\n" LEAST)));
    /* from a file comes what no line can hold: a comment says so */
    (void)put("dirs", "/semi;colon\n");
    conf =
        load(put("list.conf", "[mtlsd]\nreader_dirs = /it's, @dirs\n" LEAST));
    text = print(conf);
    assert_non_null(
        strstr(text, "\n# needs a list file, see @FILE: reader_dirs = /it's"));
    free(text);
    conf_free(conf);
    round_trip(
        load(put("quotes.conf", "[mtlsd]\nreader_dirs = /a, it's\n" LEAST)));
}

static const char http[] =
    "[route early]\n" /* before its service */
    "service = api\n"
    "path = /a\n"
    "upstream = tls://one, tls://[2001:db8::2]:8443\n"
    "upstream_policy = robin\n"
    "upstream_name = one.internal\n"
    "upstream_cert = a.crt\n"
    "upstream_key = a.key\n"
    "upstream_crl = a.crl\n"
    "upstream_crl_scope = chain\n"
    "upstream_crl_missing = admit\n"
    "upstream_verify_depth = 0\n"
    "upstream_unsafe_x509v1 = yes\n"
    "upstream_tls_min = 1.3\n"
    "upstream_tls_max = 1.3\n"
    "upstream_ciphers = HIGH:!aNULL:!MD5\n"
    "upstream_ciphersuites = TLS_AES_128_GCM_SHA256\n"
    "upstream_groups = P-256\n"
    "upstream_alpn = http/1.1\n"
    "header.b = route\n"
    "header.d = \"\"\n"
    "[service api]\n"
    "listen = unix:/run/api\n"
    "listen_tls = no\n"
    "protocol = http\n"
    "head_timeout = 1s\n"
    "body_timeout = 2s\n"
    "keepalive_timeout = 3s\n"
    "head_max = 8k\n"
    "headers_max = 50\n"
    "upstream_ca = up.crt\n"
    "upstream_verify_depth = 5\n"
    "header.a = \"a ; b\"\n"
    "header.b = service $remote_addr:${remote_port} 5$$\n"
    "header.c = 'it is \"quoted\" # twice'\n"
    "header.e = it's \"x\", y\n"
    "[route long]\n"
    "service = api\n"
    "path = /a/longer\n"
    "upstream = respond:200 \"x\"\n"
    "[route none]\n"
    "service = api\n"
    "path = /n\n"
    "upstream = tls://two:1\n"
    "upstream_verify = none\n"
    "[route root]\n"
    "service = api\n"
    "path = /\n"
    "upstream = unix:/run/x\n";

static void
a_route_takes_over_what_it_leaves_out(void **state)
{
    struct conf *conf = load(put("http.conf", http));
    const struct conf_service *s = conf->service;
    const struct conf_route *r = s->route;
    static const char *const order[] = { "", "long", "early", "none", "root" };
    size_t i;

    (void)state;
    assert_int_equal(s->protocol, CONF_PROTOCOL_HTTP);
    assert_false(s->listen_tls);
    assert_true(s->head_timeout == 1000 && s->body_timeout == 2000 &&
                s->keepalive_timeout == 3000);
    assert_int_equal(s->head_max, 8192);
    assert_int_equal(s->headers_max, 50);
    assert_int_equal(s->route_count, COUNT(order));
    for (i = 0; i < COUNT(order); i++)
        assert_string_equal(r[i].name, order[i]);
    assert_int_equal(r[0].upstream.count, 0);
    assert_null(r[0].path);
    assert_null(r[0].side.ca); /* for others: nothing of its own is TLS */
    assert_int_equal(r[0].header_count, 4);
    assert_string_equal(r[0].header[2].value, "it is \"quoted\" # twice");
    assert_false(r[1].tls);
    assert_int_equal(r[1].upstream.item[0].code, 200);
    assert_null(r[1].side.ca);
    r = &s->route[2];
    assert_int_equal(r->line, 1);
    assert_string_equal(r->path, "/a");
    assert_true(r->tls);
    assert_int_equal(r->upstream.count, 2);
    assert_int_equal(r->upstream.item[0].port, 443);
    assert_int_equal(r->policy, CONF_POLICY_ROBIN);
    assert_string_equal(r->upstream_name, "one.internal");
    assert_string_equal(r->side.cert.item[0], in_dir("a.crt"));
    assert_string_equal(r->side.key.item[0], in_dir("a.key"));
    assert_string_equal(r->side.ca, in_dir("up.crt"));
    assert_string_equal(r->side.crl.item[0], in_dir("a.crl"));
    assert_int_equal(r->side.crl_scope, CONF_CRL_CHAIN);
    assert_int_equal(r->side.crl_missing, CONF_CRL_ADMIT);
    assert_int_equal(r->side.verify, CONF_VERIFY_REQUIRE);
    assert_int_equal(r->side.verify_depth, 0);
    assert_true(r->side.unsafe_x509v1);
    assert_int_equal(r->side.min, CONF_TLS_13);
    assert_int_equal(r->side.max, CONF_TLS_13);
    assert_int_equal(strlen(r->side.ciphers), strlen(SUITE_DEFAULT_12));
    assert_string_equal(r->side.ciphersuites, "TLS_AES_128_GCM_SHA256");
    assert_string_equal(r->side.groups, "P-256");
    assert_string_equal(r->side.alpn.item[0], "http/1.1");
    assert_int_equal(r->header_count, 5);
    assert_string_equal(r->header[0].name, "b");
    assert_string_equal(r->header[0].value, "route");
    assert_string_equal(r->header[1].value, "");
    assert_string_equal(r->header[2].value, "a ; b");
    assert_string_equal(r->header[4].value, "it's \"x\", y");
    r = &s->route[3];
    assert_int_equal(r->side.verify, CONF_VERIFY_NONE);
    assert_int_equal(r->side.verify_depth, 5);
    assert_string_equal(r->header[1].value,
                        "service $remote_addr:${remote_port} 5$$");
    assert_int_equal(s->route[4].upstream.item[0].kind, ADDR_UNIX);
    round_trip(conf);
}

/* the example of the design, whole but for the rules of a later issue */
static void
the_example_loads(void **state)
{
    struct conf *conf;

    (void)state;
    conf =
        load(put("example.conf", "; terminate: mTLS in, plain out\n"
                                 "[mtlsd]\n"
                                 "user = mtlsd\n"
                                 "\n"
                                 "[service web]\n"
                                 "listen   = 8443\n"
                                 "cert     = service.crt\n"
                                 "key      = service.key\n"
                                 "ca       = root_authority.crt\n"
                                 "crl      = ca.crl\n"
                                 "upstream = 127.0.0.1:8080\n"
                                 "\n"
                                 "; originate: plain in, mTLS out\n"
                                 "[service db]\n"
                                 "listen_tls    = no\n"
                                 "listen        = 127.0.0.1:6432\n"
                                 "upstream      = tls://db.internal:6432\n"
                                 "upstream_cert = peer.crt\n"
                                 "upstream_key  = peer.key\n"
                                 "upstream_ca   = root_authority.crt\n"
                                 "\n"
                                 "; http, with routes\n"
                                 "[service api]\n"
                                 "protocol   = http\n"
                                 "listen_tls = no\n"
                                 "listen     = 127.0.0.1:8081\n"
                                 "upstream   = respond:200 \"hello\"\n"
                                 "[route up]\n"
                                 "service  = api\n"
                                 "path     = /upstream\n"
                                 "upstream = tls://myserver.internal.net:443\n"
                                 "upstream_cert = client.crt\n"
                                 "upstream_key  = client.key\n"
                                 "upstream_ca   = ca.crt\n"
                                 "upstream_ciphers = HIGH:!aNULL:!MD5\n"
                                 "upstream_verify_depth = 2\n"
                                 "header.x-real-ip = $remote_addr\n"));
    assert_int_equal(conf->service_count, 3);
    assert_true(conf->service[1].route->tls);
    assert_int_equal(conf->service[2].route_count, 2);
    assert_string_equal(conf->service[2].route[1].header[0].value,
                        "$remote_addr");
    round_trip(conf);
}

#define SERVICE(name, port) \
    "[service " name "]\nlisten = " port "\n" PAIR "upstream = localhost:1\n"

static void
includes_are_read_in_order(void **state)
{
    static const char *const want[] = { "m", "z", "a", "b", "y" };
    struct conf *conf;
    size_t i;

    (void)state;
    (void)put("b.inc", SERVICE("b", "2"));
    (void)put("a.inc", SERVICE("a", "1"));
    (void)put("z", SERVICE("z", "3"));
    (void)put("y.txt", SERVICE("y", "5"));
    (void)put("more", "y.txt\n");
    conf = load(put(
        "main.conf",
        "[mtlsd]\ninclude = z, *.inc, none*.inc, @more\n" SERVICE("m", "4")));
    assert_int_equal(conf->service_count, COUNT(want));
    for (i = 0; i < COUNT(want); i++)
        assert_string_equal(conf->service[i].name, want[i]);
    assert_string_equal(conf->service[4].file, in_dir("y.txt"));
    assert_int_equal(conf->files.count, 6);
    assert_string_equal(conf->files.item[0], in_dir("main.conf"));
    conf_free(conf);
}

/* ---- what waits for a restart ---- */

static char told[1024];

static void
tell(void *ctx, const char *what)
{
    assert_ptr_equal(ctx, told);
    append(told, sizeof(told), what, "\n");
}

static void
fixed_changes_are_named(void **state)
{
    struct conf *running = load(put("least.conf", least)), *fresh;

    (void)state;
    fresh = load(put("other.conf",
                     "[mtlsd]\nuser = x\nlog_level = debug\n"
                     "log = syslog\nkeepers = 2\n"
                     "[service web]\nlisten = 8443, 8444\nbacklog = 5\n"
                     "workers = 5\n" PAIR "upstream = 127.0.0.1:80\n"
                     "[service more]\nlisten = 1\n" PAIR
                     "upstream = 127.0.0.1:80\n"));
    told[0] = '\0';
    conf_fixed_changes(running, running, tell, told);
    assert_string_equal(told, "");
    conf_fixed_changes(running, fresh, tell, told);
    assert_string_equal(told, "user\nlog\nlog_level\nlisten of [service web]\n"
                              "backlog of [service web]\n"
                              "listen of [service more], which is new\n");
    told[0] = '\0';
    conf_fixed_changes(fresh, running, tell, told);
    assert_non_null(strstr(told, "listen of [service more], which is gone\n"));
    conf_free(running);
    conf_free(fresh);
}

/* ---- table, manual page, default file ---- */

/* line_has - does text have this very line? */
static bool
line_has(const char *text, const char *line)
{
    const char *at;
    size_t len = strlen(line);

    for (at = text; (at = strstr(at, line)) != NULL; at++)
        if ((at == text || at[-1] == '\n') &&
            (at[len] == '\n' || at[len] == ' '))
            return true;
    return false;
}

static const char *
part(const char *text, const char *from)
{
    const char *at = strstr(text, from);

    if (at == NULL)
        fail_msg("%s is missing", from);
    return at;
}

/* explained_in - where the manual page explains keys of that section; those of
 * both stand with the services */
static const char *
explained_in(const char *page, enum conf_section section)
{
    if (section == CONF_IN_MTLSD)
        return page;
    return part(page, section == CONF_IN_ROUTE ? ".Sh THE SECTIONS route"
                                               : ".Sh THE SECTIONS service");
}

static void
the_manual_page_has_every_key_and_no_other(void **state)
{
    char *page = slurp(PAGE), *at, name[80], item[80];
    const struct conf_key *key;
    enum conf_section section = CONF_IN_MTLSD;
    const char *service = part(page, ".Sh THE SECTIONS service");
    const char *route = part(page, ".Sh THE SECTIONS route");

    (void)state;
    for (key = conf_keys; key->name != NULL; key++) {
        (void)snprintf(item, sizeof(item), ".It Ic %s", key->name);
        if (!line_has(explained_in(page, key->section), item))
            fail_msg("%s does not explain %s", PAGE, key->name);
        if (key->preset != NULL && strchr(key->preset, '_') == NULL &&
            strlen(key->preset) < 60) {
            (void)snprintf(name, sizeof(name), ".Li %s .\n", key->preset);
            at = strstr(strstr(explained_in(page, key->section), item), name);
            if (at == NULL)
                fail_msg("%s: the default of %s is %s", PAGE, key->name,
                         key->preset);
        }
    }
    for (at = page; (at = strstr(at, "\n.It Ic ")) != NULL; at++) {
        section = at > route     ? CONF_IN_ROUTE
                  : at > service ? CONF_IN_SERVICE
                                 : CONF_IN_MTLSD;
        assert_int_equal(sscanf(at, "\n.It Ic %79s", name), 1);
        if (conf_key_find(section, name) == NULL)
            fail_msg("%s explains %s, which is no key", PAGE, name);
    }
    free(page);
}

static void
the_manual_page_names_what_waits_for_a_restart(void **state)
{
    char *page = slurp(PAGE), word[80];
    const char *from = part(page, ".Sh RELOAD"), *to = part(page, ".Sh FILES");
    const struct conf_key *key;
    const char *at;

    (void)state;
    for (key = conf_keys; key->name != NULL; key++) {
        bool named = false;

        /* a name that two sections have is fixed in the one that says so */
        if (conf_key_find(CONF_IN_MTLSD, key->name) != NULL &&
            key->section == CONF_IN_SERVICE)
            continue;
        if (key->section == CONF_IN_ROUTE) /* `service' is a word, too */
            continue;
        for (at = from; at < to; at += strcspn(at, " \n") + 1) {
            (void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(at, " \n"),
                           at);
            named |= strcmp(word, key->name) == 0;
        }
        if (named != key->fixed)
            fail_msg("%s: a change of %s %s", PAGE, key->name,
                     key->fixed ? "waits for a restart" : "takes effect");
    }
    free(page);
}

/* bare_line - a line of the default file without its `#'; the sections that it
 * has and the keys, never comments */
static bool
bare_line(const char *line, char *out, size_t size)
{
    size_t skip = line[0] == '#' ? 1 : 0, len = strcspn(line, "\n");

    if (len == 0 || line[0] == ';' || len >= size)
        return false;
    memcpy(out, line + skip, len - skip);
    out[len - skip] = '\0';
    return true;
}

static void
the_default_file_has_every_key_at_its_default(void **state)
{
    char *text = slurp(DEFAULTS), line[1100], want[1100], name[80];
    const char *at, *service = part(text, "#[service web]");
    const struct conf_key *key;
    enum conf_section section = CONF_IN_MTLSD;

    (void)state;
    for (key = conf_keys; key->name != NULL; key++) {
        const char *hash =
            key->section != CONF_IN_MTLSD || key->preset == NULL ? "#" : "";

        if (key->type == CONF_T_HEADER)
            (void)snprintf(want, sizeof(want), "#%s", CONF_HEADER_PREFIX);
        else
            (void)snprintf(want, sizeof(want), "%s%s = %s", hash, key->name,
                           key->preset != NULL ? key->preset : "");
        at = strstr(key->section == CONF_IN_MTLSD ? text : service, want);
        if (at == NULL || at[-1] != '\n' ||
            (key->preset != NULL && at[strlen(want)] != '\n'))
            fail_msg("%s does not have %s", DEFAULTS, want);
    }
    for (at = text; *at != '\0'; at += strcspn(at, "\n") + 1) {
        if (!bare_line(at, line, sizeof(line)))
            continue;
        if (strncmp(line, "[service", 8) == 0)
            section = CONF_IN_SERVICE;
        else if (strncmp(line, "[route", 6) == 0)
            section = CONF_IN_ROUTE;
        if (line[0] == '[')
            continue;
        assert_int_equal(sscanf(line, "%79s", name), 1);
        if (conf_key_find(section, name) == NULL)
            fail_msg("%s has %s, which is no key", DEFAULTS, name);
    }
    free(text);
}

static void
the_default_file_loads_with_its_service(void **state)
{
    char *text = slurp(DEFAULTS), line[1100];
    size_t size = strlen(text) + 2;
    char *whole = calloc(1, size);
    const char *at;

    (void)state;
    assert_non_null(whole);
    (void)put("default.conf", text);
    only_error(in_dir("default.conf"),
               "default.conf: there is no [service NAME] section");
    for (at = text; *at != '\0'; at += strcspn(at, "\n") + 1)
        if (bare_line(at, line, sizeof(line)) &&
            strncmp(line, "include", 7) != 0)
            append(whole, size, line, "\n");
    round_trip(load(put("whole.conf", whole)));
    free(whole);
    free(text);
}

static void
the_table_is_sound(void **state)
{
    const struct conf_key *key, *other;

    (void)state;
    for (key = conf_keys; key->name != NULL; key++) {
        assert_true(key->min <= key->max);
        assert_int_equal(key->type == CONF_T_WORD, key->words != NULL);
        for (other = conf_keys; other < key; other++)
            assert_false(strcmp(other->name, key->name) == 0 &&
                         (conf_key_in(other, key->section) ||
                          conf_key_in(key, other->section)));
    }
    assert_string_equal(conf_key_nearest(CONF_IN_SERVICE, "certt"), "cert");
    assert_null(conf_key_nearest(CONF_IN_MTLSD, "certt"));
}

/* one service of a file, which need not listen; the others are given up */
static void
one_service_is_kept_without_a_listen(void **state)
{
    static const char text[] =
        "[mtlsd]\nuser = nobody\n"
        "[service a]\nlisten_tls = no\nupstream = 127.0.0.1:1\n"
        "[service b]\nlisten_tls = no\nlisten = 127.0.0.1:2\n"
        "protocol = http\nupstream = 127.0.0.1:3\n"
        "[route r]\nservice = b\npath = /x\nupstream = 127.0.0.1:4\n";
    const char *path = put("only.conf", text);
    struct conf_errors errors;
    struct conf *conf;

    (void)state;
    assert_int_equal(conf_load(path, &conf, &errors), ERR_CONF);
    assert_int_equal(errors.count, 1);
    assert_non_null(strstr(errors.text[0], "needs listen"));
    conf_errors_free(&errors);
    assert_int_equal(conf_load_only(path, "b", NULL, &conf, &errors), ERR_OK);
    assert_int_equal(conf->service_count, 1);
    assert_string_equal(conf->service[0].name, "b");
    assert_int_equal(conf->service[0].listen.count, 0);
    assert_int_equal(conf->service[0].route_count, 2);
    conf_free(conf);
    assert_int_equal(conf_load_only(path, "c", NULL, &conf, &errors), ERR_CONF);
    assert_int_equal(errors.count, 1);
    assert_non_null(strstr(errors.text[0], "no [service c]"));
    conf_errors_free(&errors);
}

/* load_with - conf_load_only with a program, and what the first error says */
static enum err
load_with(const char *path, const char *const *program, struct conf **conf,
          char said[256])
{
    struct conf_errors errors;
    enum err err =
        conf_load_only(path, "s", (char *const *)program, conf, &errors);

    said[0] = '\0';
    if (errors.count > 0)
        (void)snprintf(said, 256, "%s", errors.text[0]);
    conf_errors_free(&errors);
    return err;
}

static void
a_program_is_the_upstream_whatever_the_file_says(void **state)
{
    static const char *const cat[] = { "/bin/sh", "-c", "echo \"a\"; cat",
                                       NULL };
    static const char *const good[] = {
        "",
        "upstream = 127.0.0.1:3\n",
        "upstream = exec:/bin/false\n",
        "exec_user = nobody\nupstream_policy = robin\n"
        "upstream = 127.0.0.1:3, 127.0.0.1:4\n",
    };
    char text[512], said[256];
    struct conf *conf;
    const char *path;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        (void)snprintf(text, sizeof(text), "[service s]\nlisten_tls = no\n%s",
                       good[i]);
        path = put("program.conf", text);
        assert_int_equal(load_with(path, cat, &conf, said), ERR_OK);
        assert_int_equal(conf->service[0].route[0].upstream.count, 1);
        assert_string_equal(conf_command(&conf->service[0]),
                            "/bin/sh -c \"echo \"\"a\"\"; cat\"");
        conf_free(conf);
    }
}

static void
a_program_does_not_go_with_everything(void **state)
{
    static const char *const cat[] = { "/bin/cat", NULL };
    static const struct {
        const char *lines, *said;
    } rows[] = {
        { "protocol = http\nupstream = 127.0.0.1:3\n", "protocol = tcp" },
        { "upstream = tls://h:1\nupstream_ca = ca.crt\n", "has no meaning" },
        { "upstream = nonsense\n", "upstream" },
    };
    const char *words[WORDS_MAX + 2];
    char text[512], said[256];
    struct conf *conf;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)snprintf(text, sizeof(text), "[service s]\nlisten_tls = no\n%s",
                       rows[i].lines);
        assert_int_equal(load_with(put("not.conf", text), cat, &conf, said),
                         ERR_CONF);
        assert_non_null(strstr(said, rows[i].said));
    }
    for (size_t i = 0; i <= WORDS_MAX; i++)
        words[i] = "/x";
    words[WORDS_MAX + 1] = NULL;
    assert_int_equal(
        load_with(put("many.conf", "[service s]\nlisten_tls = no\n"), words,
                  &conf, said),
        ERR_CONF);
    assert_non_null(strstr(said, "at most 64 words"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(every_error_reads_as_agreed),
        cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
        cmocka_unit_test(every_key_reaches_its_field),
        cmocka_unit_test(defaults_are_the_table),
        cmocka_unit_test(what_is_printed_reads_back),
        cmocka_unit_test(a_route_takes_over_what_it_leaves_out),
        cmocka_unit_test(the_example_loads),
        cmocka_unit_test(includes_are_read_in_order),
        cmocka_unit_test(fixed_changes_are_named),
        cmocka_unit_test(one_service_is_kept_without_a_listen),
        cmocka_unit_test(a_program_is_the_upstream_whatever_the_file_says),
        cmocka_unit_test(a_program_does_not_go_with_everything),
        cmocka_unit_test(the_manual_page_has_every_key_and_no_other),
        cmocka_unit_test(the_manual_page_names_what_waits_for_a_restart),
        cmocka_unit_test(the_default_file_has_every_key_at_its_default),
        cmocka_unit_test(the_default_file_loads_with_its_service),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
