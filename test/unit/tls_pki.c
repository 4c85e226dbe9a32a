/* tls_pki.c - certificates, keepers and services for the TLS unit tests */
#include "test/unit/tls_pki.h"

#include "common/fdio.h"
#include "common/suite.h"
#include "master/certfile.h"
#include "master/keybook.h"
#include "master/keyfile.h"
#include "master/keyring.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];
static pid_t owner;

static void
give_up(const char *what)
{
    fprintf(stderr, "tls_pki: %s\n", what);
    _exit(1);
}

static void
remove_dir(void)
{
    char command[128];

    if (getpid() != owner)
        return;
    (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
    (void)!system(command);
}

const char *
tls_pki(void)
{
    char command[160];

    if (dir[0] != '\0')
        return dir;
    (void)snprintf(dir, sizeof(dir), "/tmp/mtlsd-tls.XXXXXX");
    if (mkdtemp(dir) == NULL)
        give_up("mkdtemp");
    owner = getpid();
    atexit(remove_dir);
    (void)snprintf(command, sizeof(command), "test/unit/tls_pki %s", dir);
    if (system(command) != 0)
        give_up("test/unit/tls_pki failed");
    return dir;
}

const char *
tls_path(const char *name)
{
    static char path[8][128];
    static unsigned turn;
    char *out = path[turn++ % 8];

    (void)snprintf(out, sizeof(path[0]), "%s/%s", tls_pki(), name);
    return out;
}

struct blob
tls_blob(const char *name)
{
    struct blob blob;
    struct why why;

    if (keyring_read(tls_path(name), &blob, &why) != ERR_OK)
        give_up(why.text);
    return blob;
}

struct conf_service
tls_service(void)
{
    struct conf_service service;
    static char ciphers[] = SUITE_DEFAULT_12, suites13[] = SUITE_DEFAULT_13;
    static char groups[] = SUITE_DEFAULT_GROUPS;

    memset(&service, 0, sizeof(service));
    (void)snprintf(service.name, sizeof(service.name), "web");
    service.verify = CONF_VERIFY_REQUIRE;
    service.verify_depth = 2;
    service.tls_min = CONF_TLS_12;
    service.tls_max = CONF_TLS_13;
    service.ciphers = ciphers;
    service.ciphersuites = suites13;
    service.groups = groups;
    return service;
}

struct context *
tls_context(const struct conf_service *service, const char *cert,
            const char *ca)
{
    struct blob cert_blob = tls_blob(cert), ca_blob = tls_blob(ca);
    struct context *context;
    struct why why = { "" };

    if (context_server(service, &cert_blob, &ca_blob, NULL, NULL, &context,
                       &why) != ERR_OK)
        give_up(why.text);
    keyring_free(&cert_blob);
    keyring_free(&ca_blob);
    return context;
}

/* keeper - answer until the other end closes */
static void
keeper(int sock, const struct keybook *book)
{
    struct keywire_request request;
    struct keywire_reply reply;
    size_t len, reply_len;

    for (;;) {
        len = sizeof(request);
        if (fdio_recv(sock, &request, &len, NULL, NULL, 0, NULL) != ERR_OK ||
            keybook_answer(book, 0, &request, len, &reply, &reply_len) !=
                NULL ||
            fdio_send(sock, &reply, reply_len, -1, 0, NULL) != ERR_OK)
            _exit(0);
    }
}

pid_t
tls_keeper(const char *key, struct sign *sign)
{
    struct keeper_key keys = { .path = tls_path(key) };
    struct keybook *book;
    struct why why = { "" };
    int pair[2];
    pid_t pid;

    if (fdio_pair(pair, &why) != ERR_OK)
        give_up(why.text);
    if ((pid = fork()) < 0)
        give_up("fork");
    if (pid == 0) {
        close(pair[0]);
        if ((keys.fd = open(keys.path, O_RDONLY | O_CLOEXEC)) < 0 ||
            keyfile_start(&why) != ERR_OK ||
            keybook_load(&keys, 1, &book, &why) != ERR_OK)
            give_up(why.text);
        keeper(pair[1], book);
    }
    close(pair[1]);
    memset(sign, 0, sizeof(*sign));
    sign->keeper_fd = pair[0];
    return pid;
}

void
tls_keeper_end(pid_t pid, struct sign *sign)
{
    close(sign->keeper_fd);
    (void)waitpid(pid, NULL, 0);
}

uint8_t *
tls_der(const char *name, size_t *len)
{
    struct blob blob = tls_blob(name);
    struct certfile file;
    struct why why;
    uint8_t *der;

    if (certfile_read(&blob, "cert", &file, &why) != ERR_OK)
        give_up(why.text);
    *len = file.cert[0].der.len;
    der = malloc(*len);
    if (der == NULL)
        give_up("malloc");
    memcpy(der, file.cert[0].der.at, *len);
    certfile_free(&file);
    keyring_free(&blob);
    return der;
}
