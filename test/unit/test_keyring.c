/* test_keyring.c - which files are opened, and what is said about the others */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "master/keyring.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/mtlsd-keyring.XXXXXX";
static char path[64];

static void
make(const char *name, const char *text, mode_t mode)
{
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    (void)unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void
a_file_is_read_whole(void **state)
{
    struct blob blob;
    struct why why;

    (void)state;
    make("cert", "hello", 0644);
    assert_int_equal(keyring_read(path, &blob, &why), ERR_OK);
    assert_int_equal(blob.len, 5);
    assert_string_equal((char *)blob.data, "hello");
    assert_ptr_equal(blob.path, path);
    keyring_free(&blob);
    assert_null(blob.data);
    keyring_free(&blob);
    make("none", "", 0644);
    assert_int_equal(keyring_read(path, &blob, &why), ERR_OK);
    assert_int_equal(blob.len, 0);
    keyring_free(&blob);
}

static void
links_are_followed(void **state)
{
    char link[64];
    struct blob blob;
    struct why why;

    (void)state;
    make("archive1", "one", 0600);
    (void)snprintf(link, sizeof(link), "%s/live", dir);
    assert_int_equal(symlink("archive1", link), 0);
    assert_int_equal(keyring_read(link, &blob, &why), ERR_OK);
    assert_string_equal((char *)blob.data, "one");
    keyring_free(&blob);
}

static void
other_things_are_refused(void **state)
{
    struct blob blob;
    struct why why;
    char fifo[64];
    int fd;

    (void)state;
    (void)snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(keyring_read(fifo, &blob, &why), ERR_FILE);
    assert_non_null(strstr(why.text, "not a regular file"));
    assert_int_equal(keyring_open_key(fifo, &fd, &why), ERR_FILE);
    assert_int_equal(fd, -1);
    assert_int_equal(keyring_read(dir, &blob, &why), ERR_FILE);
    assert_int_equal(keyring_read("/nonexistent", &blob, &why), ERR_FILE);
    assert_string_equal(why.text, "/nonexistent: No such file or directory");
    make("big", "", 0600);
    assert_int_equal(truncate(path, (off_t)KEYRING_FILE_MAX + 1), 0);
    assert_int_equal(keyring_read(path, &blob, &why), ERR_FILE);
    assert_non_null(strstr(why.text, "larger than"));
}

static const struct {
    mode_t mode;
    const char *text;
    const char *said; /* NULL: opened */
} keys[] = {
    { 0600, "key", NULL },
    { 0400, "key", NULL },
    { 0640, "key", NULL }, /* our own group */
    { 0644, "key", "is readable by everybody (mode 0644); chmod 600 " },
    { 0604, "key", "is readable by everybody (mode 0604)" },
    { 0660, "key", "is writable by others (mode 0660)" },
    { 0602, "key", "is writable by others (mode 0602)" },
    { 0600, "", "the file is empty" },
};

static void
keys_are_for_few_eyes(void **state)
{
    struct why why;
    size_t i;
    int fd;

    (void)state;
    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        make("key", keys[i].text, keys[i].mode);
        if (keyring_open_key(path, &fd, &why) == ERR_OK) {
            assert_null(keys[i].said);
            assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
            assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
            close(fd);
            continue;
        }
        assert_int_equal(fd, -1);
        if (keys[i].said == NULL || strstr(why.text, keys[i].said) == NULL)
            fail_msg("row %zu: %s", i, why.text);
    }
}

static void
a_strange_group_is_refused(void **state)
{
    struct why why;
    int fd;

    (void)state;
    make("key", "key", 0640);
    if (chown(path, (uid_t)-1, 54321) != 0)
        skip(); /* only root may */
    assert_int_equal(keyring_open_key(path, &fd, &why), ERR_FILE);
    assert_non_null(strstr(why.text, "is readable by group 54321"));
}

static int
setup(void **state)
{
    (void)state;
    (void)umask(022);
    return mkdtemp(dir) == NULL;
}

static int
teardown(void **state)
{
    char command[64];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_whole),
        cmocka_unit_test(links_are_followed),
        cmocka_unit_test(other_things_are_refused),
        cmocka_unit_test(keys_are_for_few_eyes),
        cmocka_unit_test(a_strange_group_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
