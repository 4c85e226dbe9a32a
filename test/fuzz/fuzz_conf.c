/* fuzz_conf.c - no file breaks conf_load, and what it takes it prints so that
 * it reads back to the same */
#include "common/conf.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* load - bytes as a configuration; NULL: refused */
static struct conf *
load(const void *bytes, size_t size)
{
    struct conf_errors errors;
    struct conf *conf;
    char path[32];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if ((conf_load(path, &conf, &errors) == ERR_OK) != (errors.count == 0))
        abort();
    conf_errors_free(&errors);
    (void)close(fd);
    return conf;
}

static char *
print(const struct conf *conf)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (f == NULL)
        abort();
    conf_print(conf, f);
    (void)fclose(f);
    return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf *conf, *again;
    char *first, *second;

    /* other files are not the fuzzer's */
    if (size == 0 || memmem(data, size, "include", 7) != NULL ||
        memchr(data, '@', size) != NULL)
        return 0;
    if ((conf = load(data, size)) == NULL)
        return 0;
    first = print(conf);
    if (strstr(first, "# needs a list file") == NULL) {
        again = load(first, strlen(first));
        if (again == NULL)
            abort();
        second = print(again);
        if (strcmp(first, second) != 0)
            abort();
        free(second);
        conf_free(again);
    }
    free(first);
    conf_free(conf);
    return 0;
}
