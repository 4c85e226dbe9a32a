/*
 * test_filters_arm64.c - the table of system calls, as 64-bit ARM reads it
 *
 * That machine lacks the older half of x86-64's calls: its C library makes the
 * newer ones instead. The table and what makes programs of it are static, so
 * both files are part of this one. libseccomp can build for any machine.
 */
/* NOLINTBEGIN(bugprone-suspicious-include): see above */
#include "common/filter.c"
#include "master/filters.c"
/* NOLINTEND(bugprone-suspicious-include) */

#include <linux/audit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define RULES (sizeof(rules) / sizeof(rules[0]))

/* what stands in for what on ARM */
static const struct {
    const char *old, *new;
} replaced[] = {
    { "poll", "ppoll" },       { "epoll_wait", "epoll_pwait" },
    { "stat", "newfstatat" },  { "lstat", "newfstatat" },
    { "access", "faccessat" }, { "readlink", "readlinkat" },
    { "dup2", "dup3" },        { "time", "clock_gettime" },
    { "open", "openat" },      { "creat", "openat" },
};

static int
arm(const char *name)
{
    return seccomp_syscall_resolve_name_arch(SCMP_ARCH_AARCH64, name);
}

/* allowed_to - who may make it, with or without tests */
static unsigned
allowed_to(const char *name)
{
    int call = seccomp_syscall_resolve_name(name);
    unsigned who = 0;

    for (size_t i = 0; i < RULES; i++)
        if (rules[i].call == call && rules[i].error == 0)
            who |= rules[i].who;
    return who;
}

/* program_of - what kind gets on ARM: its instructions, and how many */
static size_t
program_of(unsigned who, struct sock_filter *code, size_t room)
{
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int fd = memfd_create("program", MFD_CLOEXEC);
    ssize_t size;

    assert_true(context != NULL && fd >= 0);
    assert_int_equal(seccomp_arch_add(context, SCMP_ARCH_AARCH64), 0);
    assert_int_equal(seccomp_arch_remove(context, seccomp_arch_native()), 0);
    assert_int_equal(
        seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, BY_HALVING), 0);
    assert_int_equal(add_all(context, rules, RULES, who), 0);
    assert_int_equal(seccomp_export_bpf(context, fd), 0);
    size = pread(fd, code, room * sizeof(*code), 0);
    assert_true(size > 0);
    close(fd);
    seccomp_release(context);
    return (size_t)size / sizeof(*code);
}

/* verdict - run a program on a call without arguments, as the kernel would */
static uint32_t
verdict(const struct sock_filter *code, size_t count, uint32_t arch, int call)
{
    const struct seccomp_data data = { .nr = call, .arch = arch };
    uint32_t value = 0;

    for (size_t at = 0; at < count; at++) {
        const struct sock_filter *step = &code[at];
        bool holds;

        switch (step->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            memcpy(&value, (const char *)&data + step->k, sizeof(value));
            continue;
        case BPF_ALU | BPF_AND | BPF_K:
            value &= step->k;
            continue;
        case BPF_JMP | BPF_JA:
            at += step->k;
            continue;
        case BPF_RET | BPF_K:
            return step->k;
        case BPF_JMP | BPF_JEQ | BPF_K:
            holds = value == step->k;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            holds = value > step->k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            holds = value >= step->k;
            break;
        default:
            fail_msg("instruction %u", step->code);
            return 0;
        }
        at += holds ? step->jt : step->jf;
    }
    fail_msg("the program does not end");
    return 0;
}

/* check_rule - an untested call of who's is let through where ARM has it */
static void
check_rule(const struct filter_rule *rule, unsigned who,
           const struct sock_filter *code, size_t count)
{
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, rule->call);
    int call = name != NULL ? arm(name) : -1;

    if (call >= 0 && (rule->who & who) != 0 && rule->error == 0 &&
        !tested(rule) &&
        verdict(code, count, AUDIT_ARCH_AARCH64, call) != SECCOMP_RET_ALLOW)
        fail_msg("%s is killed", name);
    free(name);
}

static void
every_kind_has_its_program(void **state)
{
    static struct sock_filter code[4096];

    (void)state;
    for (size_t kind = 0; kind < FILTERS_KINDS; kind++) {
        unsigned who = programs[kind];
        size_t count = program_of(who, code, sizeof(code) / sizeof(*code));

        for (size_t i = 0; i < RULES; i++)
            check_rule(&rules[i], who, code, count);
        assert_int_equal(
            verdict(code, count, AUDIT_ARCH_AARCH64, arm("ptrace")),
            SECCOMP_RET_KILL_PROCESS);
        assert_int_equal(verdict(code, count, AUDIT_ARCH_AARCH64, 100000),
                         SECCOMP_RET_KILL_PROCESS);
        assert_int_not_equal(verdict(code, count, AUDIT_ARCH_ARM, arm("read")),
                             SECCOMP_RET_ALLOW);
    }
}

static const char *
replacement(const char *old)
{
    for (size_t i = 0; i < sizeof(replaced) / sizeof(replaced[0]); i++)
        if (strcmp(replaced[i].old, old) == 0)
            return replaced[i].new;
    return NULL;
}

/* whoever makes a call that ARM has not may make the one that stands for it */
static void
what_is_missing_is_replaced(void **state)
{
    (void)state;
    for (size_t i = 0; i < RULES; i++) {
        char *name =
            seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, rules[i].call);
        const char *new;

        if (name != NULL && arm(name) < 0 && rules[i].error == 0) {
            if ((new = replacement(name)) == NULL)
                fail_msg("%s: nothing stands for it", name);
            else if ((rules[i].who & ~allowed_to(new)) != 0)
                fail_msg("%s: not everybody may %s", name, new);
        }
        free(name);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_its_program),
        cmocka_unit_test(what_is_missing_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
