/*
 * filter.c - system call filters
 *
 * Owns the calls to libseccomp, and the one to seccomp(2) that loads what came
 * out. Programs are built once, in the form that finds a call by halving
 * (SCMP_FLTATR_CTL_OPTIMIZE 2), and loaded by the children as they are.
 * Must never build in a child: libseccomp takes a hundred times longer than
 * the kernel, and memory.
 */
#include "common/filter.h"
#include "common/fdio.h"
#include "common/mem.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BY_HALVING 2

struct filter {
    unsigned short length; /* instructions */
    struct sock_filter code[];
};

static bool
tested(const struct filter_rule *rule)
{
    return rule->test[0].mask != 0;
}

/* outdone - does a wider rule of the same filter name the call as well? */
static bool
outdone(const struct filter_rule *rules, size_t count, unsigned who,
        const struct filter_rule *rule)
{
    for (size_t i = 0; i < count; i++) {
        const struct filter_rule *other = &rules[i];

        if (other->call != rule->call || (other->who & who) == 0 ||
            other->error != 0)
            continue;
        if (rule->error != 0 || (tested(rule) && !tested(other)))
            return true;
    }
    return false;
}

static int
add(scmp_filter_ctx context, const struct filter_rule *rule)
{
    uint32_t action = rule->error == 0 ? SCMP_ACT_ALLOW
                                       : SCMP_ACT_ERRNO((uint32_t)rule->error);
    struct scmp_arg_cmp tests[FILTER_TESTS];
    unsigned count = 0;

    for (; count < FILTER_TESTS && rule->test[count].mask != 0; count++) {
        tests[count].arg = rule->test[count].arg;
        tests[count].op = SCMP_CMP_MASKED_EQ;
        tests[count].datum_a = rule->test[count].mask;
        tests[count].datum_b = rule->test[count].value;
    }
    return seccomp_rule_add_array(context, action, rule->call, count, tests);
}

static int
add_all(scmp_filter_ctx context, const struct filter_rule *rules, size_t count,
        unsigned who)
{
    int code = 0;

    for (size_t i = 0; code == 0 && i < count; i++)
        if ((rules[i].who & who) != 0 && rules[i].call >= 0 &&
            !outdone(rules, count, who, &rules[i]))
            code = add(context, &rules[i]);
    return code;
}

/* write_program - 0 or a negative errno; libseccomp writes to a descriptor
 * alone */
static int
write_program(int fd, const struct filter_rule *rules, size_t count,
              unsigned who)
{
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int code = context == NULL ? -ENOMEM : 0;

    if (code == 0)
        code = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH,
                                SCMP_ACT_KILL_PROCESS);
    if (code == 0)
        code = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, BY_HALVING);
    if (code == 0)
        code = add_all(context, rules, count, who);
    return code == 0 ? seccomp_export_bpf(context, fd) : code;
}

static int
write_all(const int *fd, const struct filter_rule *rules, size_t count,
          const unsigned *who, size_t programs)
{
    int code = 0;

    for (size_t i = 0; code == 0 && i < programs; i++)
        code = write_program(fd[i], rules, count, who[i]);
    return code;
}

/* write_elsewhere - in a child, which ends at once: its heap is a thousand
 * small pieces afterwards, and the caller's is to be forked many times. One
 * child for all: what
 * forking it and libseccomp's first steps take is more than a program takes. */
static enum err
write_elsewhere(const int *fd, const struct filter_rule *rules, size_t count,
                const unsigned *who, size_t programs, struct why *why)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(-write_all(fd, rules, count, who, programs));
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return why_errno(why, ERR_SYS, "filter: fork");
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : EFAULT;
    return errno == 0 ? ERR_OK : why_errno(why, ERR_SYS, "filter: libseccomp");
}

static enum err
read_back(int fd, struct filter **out, struct why *why)
{
    struct filter *filter;
    struct stat st;
    size_t size;

    if (fstat(fd, &st) != 0)
        return why_errno(why, ERR_SYS, "filter: fstat");
    size = (size_t)st.st_size;
    filter = mem_new(sizeof(*filter) + size);
    filter->length = (unsigned short)(size / sizeof(filter->code[0]));
    if (pread(fd, filter->code, size, 0) != st.st_size) {
        free(filter);
        return why_errno(why, ERR_SYS, "filter: read");
    }
    *out = filter;
    return ERR_OK;
}

enum err
filter_build(const struct filter_rule *rules, size_t count, const unsigned *who,
             size_t programs, struct filter **out, struct why *why)
{
    int fd[FILTER_PROGRAMS];
    enum err err = ERR_OK;
    size_t opened = 0;

    for (size_t i = 0; i < programs; i++)
        out[i] = NULL;
    for (; err == ERR_OK && opened < programs; opened++)
        if ((fd[opened] = memfd_create("mtlsd-filter", MFD_CLOEXEC)) < 0)
            err = why_errno(why, ERR_SYS, "filter: memfd_create");
    if (err == ERR_OK)
        err = write_elsewhere(fd, rules, count, who, programs, why);
    for (size_t i = 0; err == ERR_OK && i < programs; i++)
        err = read_back(fd[i], &out[i], why);
    while (opened-- > 0)
        fdio_close(&fd[opened]);
    return err;
}

void
filter_free(struct filter *filter)
{
    free(filter);
}

size_t
filter_length(const struct filter *filter)
{
    return filter->length;
}

enum err
filter_load(const struct filter *filter, struct why *why)
{
    struct sock_fprog program;

    if (filter == NULL)
        return ERR_OK;
    program.len = filter->length;
    program.filter = (struct sock_filter *)(uintptr_t)filter->code;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
        return why_errno(why, ERR_PRIV, "cannot load the system call filter");
    return ERR_OK;
}

bool
filter_known(void)
{
    unsigned action = SECCOMP_RET_KILL_PROCESS;

    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}
