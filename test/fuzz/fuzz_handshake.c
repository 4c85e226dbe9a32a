/* fuzz_handshake.c - any bytes as a client: the whole session_accept, nobody may get in */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "common/clock.h"
#include "common/suite.h"
#include "master/context.h"
#include "master/keyring.h"
#include "worker/session.h"
#include "worker/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct session_rules rules;
static struct session session;

static void
need(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fuzz_handshake: %s\n", what);
    exit(1);
}

/* files - a root and a server's certificate and key, for this run */
static void
files(char *dir)
{
    char command[1024];

    need(mkdtemp(dir) != NULL, "mkdtemp");
    (void)snprintf(
        command, sizeof(command),
        "cd %s && exec 2>/dev/null && "
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
        "-days 30 "
        "-subj /CN=root -keyout ca.key -out ca.crt && "
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
        "-subj /CN=localhost -keyout key -out csr && "
        "echo basicConstraints=CA:FALSE >ext && "
        "openssl x509 -req -in csr -CA ca.crt -CAkey ca.key -CAcreateserial "
        "-days 30 "
        "-extfile ext -out crt",
        dir);
    need(system(command) == 0, "openssl");
}

static struct blob
file(const char *dir, const char *name)
{
    static char path[3][64];
    static int turn;
    char *at = path[turn++ % 3];
    struct blob blob;
    struct why why;

    (void)snprintf(at, sizeof(path[0]), "%s/%s", dir, name);
    need(keyring_read(at, &blob, &why) == ERR_OK, name);
    return blob;
}

int
/* NOLINTNEXTLINE(readability-non-const-parameter): libFuzzer's type */
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char groups[] = SUITE_DEFAULT_GROUPS, ciphers[] = SUITE_DEFAULT_12,
                ciphersuites[] = SUITE_DEFAULT_13;
    static char h2[] = "h2", http[] = "http/1.1", *protocols[] = { h2, http };
    static struct conf_service service = { .name = "fuzz",
                                           .listen_tls = true,
                                           .client = {
                                               .verify = CONF_VERIFY_REQUIRE,
                                               .verify_depth = 2,
                                               .min = CONF_TLS_12,
                                               .max = CONF_TLS_13,
                                               .groups = groups,
                                               .ciphers = ciphers,
                                               .ciphersuites = ciphersuites,
                                               .alpn = { 2, protocols } } };
    char dir[] = "/tmp/mtlsd-fuzz.XXXXXX", command[64];
    struct blob cert, key, ca;
    struct context_files files_read = { .cert_count = 1,
                                        .cert = &cert,
                                        .ca = &ca };
    static struct tls_side *context; /* reachable: no leak */
    struct why why;

    (void)argc;
    (void)argv;
    files(dir);
    cert = file(dir, "crt");
    key = file(dir, "key");
    ca = file(dir, "ca.crt");
    (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
    (void)!system(command);
    need(context_library(&why) == ERR_OK && wait_init(&why) == ERR_OK,
         "library");
    need(context_server(&service, &files_read, NULL, NULL, &context, &why) ==
             ERR_OK,
         "context");
    /* here the library signs itself: a keeper would only be in the way */
    need(wolfSSL_CTX_use_PrivateKey_buffer(
             context->ctx, key.data, (long)key.len, WOLFSSL_FILETYPE_PEM) ==
             WOLFSSL_SUCCESS,
         "key");
    rules = (struct session_rules){ .side = context,
                                    .conf = &service.client,
                                    .sni_strict = true };
    need(session_init(&rules, &why) == ERR_OK, "session_init");
    keyring_free(&cert);
    keyring_free(&key);
    keyring_free(&ca);
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum reason reason;
    struct why why;
    int pair[2];

    if (size > 65536)
        return 0;
    need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0,
         "socketpair");
    if (size > 0 && write(pair[0], data, size) != (ssize_t)size)
        abort();
    (void)shutdown(pair[0], SHUT_WR);
    if (session_accept(&rules, pair[1], CLOCK_NEVER, &session, &reason, &why) ==
            ERR_OK ||
        session.verified || reason == REASON_NONE || reason == REASON_INTERNAL)
        abort();
    session_end(&session);
    close(pair[0]);
    close(pair[1]);
    return 0;
}
