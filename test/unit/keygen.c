/*
 * keygen.c - private keys and certificates for tests, made with openssl(1)
 *
 * Owns one temporary directory per test process. Another implementation makes
 * the keys, so that what we read is not only what we wrote.
 */
#include "test/unit/keygen.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];
static pid_t owner;

static _Noreturn void
give_up(const char *what)
{
    fprintf(stderr, "keygen: %s\n", what);
    exit(1);
}

static int
run(const char *command)
{
    pid_t pid = fork();
    int status, null;

    if (pid == 0) {
        null = open("/dev/null", O_RDWR);
        if (chdir(dir) != 0 || null < 0 || dup2(null, 0) < 0 ||
            dup2(null, 1) < 0 || dup2(null, 2) < 0)
            _exit(126);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        give_up("fork");
    return status;
}

static void
remove_dir(void)
{
    if (owner == getpid())
        run("rm -rf -- \"$PWD\"");
}

bool
keygen_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");

    return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

const char *
keygen_dir(void)
{
    if (dir[0] != '\0')
        return dir;
    snprintf(dir, sizeof(dir), "/tmp/mtlsd-keys.XXXXXX");
    if (mkdtemp(dir) == NULL)
        give_up("mkdtemp");
    owner = getpid();
    atexit(remove_dir);
    return dir;
}

const char *
keygen_path(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", keygen_dir(), name);
    return path;
}

static int run_va(const char *format, va_list args)
    __attribute__((format(printf, 1, 0)));

static int
run_va(const char *format, va_list args)
{
    char command[1024];

    keygen_dir();
    if (vsnprintf(command, sizeof(command), format, args) >=
        (int)sizeof(command))
        give_up("a command is too long");
    return run(command);
}

int
keygen_try(const char *format, ...)
{
    va_list args;
    int status;

    va_start(args, format);
    status = run_va(format, args);
    va_end(args);
    return status;
}

void
keygen_run(const char *format, ...)
{
    va_list args;
    int status;

    va_start(args, format);
    status = run_va(format, args);
    va_end(args);
    if (status != 0)
        give_up(format);
}

void
keygen_key(const char *name, const char *kind)
{
    if (strncmp(kind, "rsa:", 4) == 0)
        keygen_run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:%s "
                   "-out %s.key",
                   kind + 4, name);
    else if (strncmp(kind, "ec:", 3) == 0)
        keygen_run("openssl genpkey -algorithm EC -pkeyopt "
                   "ec_paramgen_curve:%s -out %s.key",
                   kind + 3, name);
    else
        keygen_run("openssl genpkey -algorithm %s -out %s.key", kind, name);
}

void
keygen_cert(const char *name)
{
    keygen_run("openssl req -new -x509 -key %s.key -out %s.crt -days 30 -subj "
               "/CN=localhost "
               "-addext subjectAltName=DNS:localhost",
               name, name);
}

uint8_t *
keygen_read(const char *name, size_t *len)
{
    FILE *file = fopen(keygen_path(name), "rb");
    uint8_t *data = malloc(1u << 20);

    if (file == NULL || data == NULL)
        give_up(name);
    *len = fread(data, 1, (1u << 20) - 1, file);
    data[*len] = '\0';
    fclose(file);
    return data;
}

void
keygen_write(const char *name, const void *data, size_t len)
{
    FILE *file = fopen(keygen_path(name), "wb");

    if (file == NULL || fwrite(data, 1, len, file) != len || fclose(file) != 0)
        give_up(name);
}
