/* tls_serve.c - a worker's TLS side, and openssl s_client as its clients */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/fdio.h"
#include "test/unit/tls_serve.h"
#include "worker/wait.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 40

int listener = -1;
struct sockaddr_in address;
struct session session;

void
server_start_many(struct server *server, const char *const *names,
                  const char *ca, const char *const *crls)
{
    char crt[8][64], file[8][64];
    const char *crts[9] = { NULL }, *files[9] = { NULL };
    struct why why = { "" };
    size_t i;

    for (i = 0; names[i] != NULL && i < 8; i++) {
        (void)snprintf(crt[i], sizeof(crt[i]), "%s.chain", names[i]);
        (void)snprintf(file[i], sizeof(file[i]), "%s.key", names[i]);
        crts[i] = crt[i];
        files[i] = file[i];
    }
    server->context = tls_server(&server->service, crts, ca, crls);
    server->keeper = tls_keepers(files, &server->sign);
    server->rules = (struct session_rules){
        .side = server->context,
        .conf = &server->service.client,
        .sign = &server->sign,
        .sni_strict = server->service.sni_strict,
    };
    session_install(&server->rules);
    if (session_init(&server->rules, &why) != ERR_OK)
        fail_msg("%s", why.text);
}

void
server_start(struct server *server, const char *key, const char *ca)
{
    const char *const names[] = { key, NULL };

    server_start_many(server, names, ca, NULL);
}

void
server_end(struct server *server)
{
    tls_keeper_end(server->keeper, &server->sign);
    context_free(server->context);
}

void
listen_once(void)
{
    socklen_t len = sizeof(address);

    if (listener >= 0)
        return;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len),
                     0);
}

/* client - openssl s_client with these arguments, output into a file */
static pid_t
client(const char *const *more, const char *output)
{
    const char *args[ARGS_MAX] = { "openssl", "s_client", "-ign_eof", "-cipher",
                                   "DEFAULT@SECLEVEL=0" };
    char where[64];
    size_t n = 5, i;
    pid_t pid;

    (void)snprintf(where, sizeof(where), "127.0.0.1:%u",
                   (unsigned)ntohs(address.sin_port));
    args[n++] = "-connect";
    args[n++] = where;
    for (i = 0; more[i] != NULL; i++)
        args[n++] = more[i];
    args[n] = NULL;
    assert_true((pid = fork()) >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY);
        int out = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        sigset_t none;

        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(null, 0);
        dup2(out, 1);
        dup2(out, 2);
        execvp("openssl", (char *const *)args);
        _exit(127);
    }
    return pid;
}

/* goodbye - payload for those who are in; then drain, so that nothing is lost */
static void
goodbye(int fd, const struct result *result)
{
    char buf[4096];
    struct pollfd item = { .fd = fd, .events = POLLIN };

    if (result->err == ERR_OK) {
        (void)wolfSSL_write(session.ssl, "HELLO\n", 6);
        (void)wolfSSL_shutdown(session.ssl);
    }
    (void)shutdown(fd, SHUT_WR);
    while (poll(&item, 1, 3000) > 0 && read(fd, buf, sizeof(buf)) > 0)
        ;
}

static void
read_output(struct result *result, const char *path)
{
    FILE *file = fopen(path, "r");
    const char *at;
    size_t n = 0;

    if (file != NULL) {
        n = fread(result->output, 1, sizeof(result->output) - 1, file);
        fclose(file);
    }
    result->output[n] = '\0';
    result->alert = -1;
    if ((at = strstr(result->output, "SSL alert number ")) != NULL)
        result->alert = atoi(at + strlen("SSL alert number "));
}

void
take(struct server *server, pid_t pid, const char *output,
     struct result *result, int64_t ms)
{
    struct pollfd item = { .fd = listener, .events = POLLIN };
    int fd, status;

    assert_int_equal(poll(&item, 1, 60000), 1);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(fd >= 0);
    memset(&result->why, 0, sizeof(result->why));
    result->err = session_accept(&server->rules, fd, clock_deadline(ms),
                                 &session, &result->reason, &result->why);
    result->session = session;
    goodbye(fd, result);
    session_end(&session);
    close(fd);
    if (pid > 0)
        (void)waitpid(pid, &status, 0);
    if (output != NULL)
        read_output(result, output);
}

void
connect_with(struct server *server, const char *const *args,
             struct result *result)
{
    const char *output = tls_path("client.out");

    listen_once();
    take(server, client(args, output), output, result, 10000);
}

void
connect_as(struct server *server, const char *name, bool tls13,
           struct result *result)
{
    const char *args[12] = { tls13 ? "-tls1_3" : "-tls1_2" };
    char crt[64], key[64], above[64];
    size_t n = 1;

    (void)snprintf(crt, sizeof(crt), "%s.crt", name);
    (void)snprintf(key, sizeof(key), "%s.key", name);
    (void)snprintf(above, sizeof(above), "%s.above", name);
    if (name[0] != '\0') {
        args[n++] = "-cert";
        args[n++] = tls_path(crt);
        args[n++] = "-key";
        args[n++] = tls_path(key);
        if (access(tls_path(above), R_OK) == 0) {
            args[n++] = "-cert_chain";
            args[n++] = tls_path(above);
        }
    }
    args[n] = NULL;
    connect_with(server, args, result);
}

void
show(const char *name, bool tls13, const struct result *r)
{
    if (getenv("SHOW") != NULL)
        printf("%-16s %s: %-18s depth %d alert %d (client saw %d) %s\n", name,
               tls13 ? "1.3" : "1.2", reason_word(r->reason), r->session.depth,
               r->session.alert_sent, r->alert, r->why.text);
}

int
tls_serve_teardown(void **state)
{
    (void)state;
    free(session.leaf);
    close(listener);
    return 0;
}
