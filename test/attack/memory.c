/*
 * memory.c - attacks: make code, reach memory that is not its own
 *
 * Nothing can be made executable, nothing be mapped, and what is shared is its
 * own slot and a page that the kernel does not let it write (bans.c).
 */
#include "test/attack/attack.h"

#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#define PAGE 4096

static char buffer[PAGE];

/* our own code, writable for once: it cannot be run any more */
static long
write_code(void)
{
    long call[7] = { SYS_mprotect, (long)(uintptr_t)write_code & -PAGE, PAGE,
                     PROT_READ | PROT_WRITE };
    long result = attack_call(call);

    if (result == 0)
        *(volatile uint8_t *)(uintptr_t)write_code = 0xcc;
    return result;
}

static long
run_data(void)
{
    buffer[0] = (char)0xc3; /* ret */
    ((void (*)(void))(uintptr_t)buffer)();
    return 0;
}

static long
read_neighbour(void)
{
    return *(volatile uint8_t *)(uintptr_t)attack_held(NEIGHBOUR);
}

static long
write_bans(void)
{
    *(volatile uint8_t *)(uintptr_t)attack_held(BANS) = 1;
    return 0;
}

#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define ALL       (PROT_READ | PROT_WRITE | PROT_EXEC)

static const struct attack attacks[] = {
    CALL("map-code", "SYS", SYS_mmap, 0, PAGE, ALL, ANONYMOUS, -1, 0),
    CALL("map-file", "ENOMEM", SYS_mmap, 0, PAGE, PROT_READ, MAP_SHARED, LOG,
         0),
    CALL("map-over-bans", "ENOMEM", SYS_mmap, BANS, PAGE, PROT_READ,
         ANONYMOUS | MAP_FIXED, -1, 0),
    CALL("protect-code", "SYS", SYS_mprotect, SLOT, PAGE, ALL),
    CALL("protect-bans", "EACCES", SYS_mprotect, BANS, PAGE,
         PROT_READ | PROT_WRITE),
    RUN("write-bans", "SEGV", NULL, write_bans),
    RUN("write-code", "SEGV", NULL, write_code),
    RUN("run-data", "SEGV", NULL, run_data),
    RUN("read-neighbour", "SEGV", NULL, read_neighbour),
    CALL("grow-slot", "ENOMEM", SYS_mremap, SLOT, PAGE, 2 * PAGE,
         MREMAP_MAYMOVE),
    CALL("double-slot", "ENOMEM", SYS_mremap, SLOT, 0, 2 * PAGE,
         MREMAP_MAYMOVE),
    CALL("map-neighbour", "ENOMEM", SYS_mmap, NEIGHBOUR, PAGE, PROT_READ,
         MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS, -1, 0),
    CALL("grow-to-neighbour", "ENOMEM", SYS_mremap, SLOT, PAGE, PAGE,
         MREMAP_MAYMOVE | MREMAP_FIXED, NEIGHBOUR),
    CALL("remap-file-pages", "SYS", SYS_remap_file_pages, SLOT, PAGE, 0, 1, 0),
    CALL("punch-bans", "SYS", SYS_madvise, BANS, PAGE, MADV_REMOVE),
    CALL("poison", "SYS", SYS_madvise, BANS, PAGE, MADV_HWPOISON),
    CALL("merge", "SYS", SYS_madvise, SLOT, PAGE, MADV_MERGEABLE),
    CALL("forget-bans", "OK", SYS_madvise, BANS, PAGE, MADV_DONTNEED),
    CALL("pkey-mprotect", "SYS", SYS_pkey_mprotect, SLOT, PAGE, ALL, 0),
    CALL("pkey-alloc", "SYS", SYS_pkey_alloc, 0, 0),
    CALL("userfaultfd", "SYS", SYS_userfaultfd, 0),
    CALL("memfd-secret", "SYS", SYS_memfd_secret, 0),
    CALL("mlock", "SYS", SYS_mlock, SLOT, PAGE),
    CALL("mlockall", "SYS", SYS_mlockall, MCL_FUTURE),
    CALL("msync", "SYS", SYS_msync, SLOT, PAGE, MS_SYNC),
    CALL("mincore", "SYS", SYS_mincore, SLOT, PAGE, TEXT(buffer)),
    CALL("move-pages", "SYS", SYS_move_pages, SIBLING, 0, 0, 0, 0, 0),
    CALL("shmget", "SYS", SYS_shmget, IPC_PRIVATE, PAGE, IPC_CREAT | 0600),
    CALL("shmat-exec", "SYS", SYS_shmat, 0, 0, SHM_EXEC),
    CALL("msgget", "SYS", SYS_msgget, IPC_PRIVATE, IPC_CREAT | 0600),
    CALL("semget", "SYS", SYS_semget, IPC_PRIVATE, 1, IPC_CREAT | 0600),
    CALL("mq-open", "SYS", SYS_mq_open, TEXT("x"), 0, 0, 0),
    CALL("membarrier", "SYS", SYS_membarrier, 0, 0, 0),
};
const struct attack_theme attack_memory = THEME(attacks);
