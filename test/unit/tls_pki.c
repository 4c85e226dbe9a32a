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

struct conf_tls
tls_side_conf(void)
{
    struct conf_tls conf;
    static char ciphers[] = SUITE_DEFAULT_12, suites13[] = SUITE_DEFAULT_13;
    static char groups[] = SUITE_DEFAULT_GROUPS;

    memset(&conf, 0, sizeof(conf));
    conf.verify = CONF_VERIFY_REQUIRE;
    conf.verify_depth = 2;
    conf.min = CONF_TLS_12;
    conf.max = CONF_TLS_13;
    conf.ciphers = ciphers;
    conf.ciphersuites = suites13;
    conf.groups = groups;
    return conf;
}

struct conf_service
tls_service(void)
{
    struct conf_service service;

    memset(&service, 0, sizeof(service));
    (void)snprintf(service.name, sizeof(service.name), "web");
    service.listen_tls = true;
    service.client = tls_side_conf();
    return service;
}

static size_t
read_blobs(const char *const *names, struct blob *out, size_t room)
{
    size_t i;

    for (i = 0; names != NULL && names[i] != NULL; i++) {
        if (i == room)
            give_up("too many files");
        out[i] = tls_blob(names[i]);
    }
    return i;
}

struct tls_side *
tls_server(const struct conf_service *service, const char *const *certs,
           const char *ca, const char *const *crls)
{
    struct blob cert[8], crl[8], ca_blob = tls_blob(ca);
    struct context_files files = { .cert = cert, .ca = &ca_blob, .crl = crl };
    struct tls_side *side;
    struct why why = { "" };
    size_t i;

    files.cert_count = read_blobs(certs, cert, 8);
    files.crl_count = read_blobs(crls, crl, 8);
    if (context_server(service, &files, NULL, NULL, &side, &why) != ERR_OK)
        give_up(why.text);
    for (i = 0; i < side->cert_count; i++)
        side->cert[i].key = (uint8_t)i;
    for (i = 0; i < files.cert_count; i++)
        keyring_free(&cert[i]);
    for (i = 0; i < files.crl_count; i++)
        keyring_free(&crl[i]);
    keyring_free(&ca_blob);
    return side;
}

struct tls_side *
tls_context(const struct conf_service *service, const char *cert,
            const char *ca)
{
    const char *const certs[] = { cert, NULL };

    return tls_server(service, certs, ca, NULL);
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

/* load_keys - in the keeper */
static struct keybook *
load_keys(const char *const *keys)
{
    static struct keeper_key list[8]; /* the book looks at it later, too */
    struct keybook *book = NULL;
    struct why why = { "" };
    size_t i;

    for (i = 0; keys[i] != NULL; i++) {
        list[i].index = (uint8_t)i;
        list[i].path = tls_path(keys[i]);
        if ((list[i].fd = open(list[i].path, O_RDONLY | O_CLOEXEC)) < 0)
            give_up(list[i].path);
    }
    if (keyfile_start(&why) != ERR_OK ||
        keybook_load(list, i, &book, &why) != ERR_OK)
        give_up(why.text);
    return book;
}

pid_t
tls_keepers(const char *const *keys, struct sign *sign)
{
    struct why why = { "" };
    int pair[2];
    pid_t pid;

    (void)tls_pki();
    if (fdio_pair(pair, &why) != ERR_OK)
        give_up(why.text);
    if ((pid = fork()) < 0)
        give_up("fork");
    if (pid == 0) {
        close(pair[0]);
        keeper(pair[1], load_keys(keys));
    }
    close(pair[1]);
    memset(sign, 0, sizeof(*sign));
    sign->keeper_fd = pair[0];
    return pid;
}

pid_t
tls_keeper(const char *key, struct sign *sign)
{
    const char *const keys[] = { key, NULL };

    return tls_keepers(keys, sign);
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
