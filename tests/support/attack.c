// One attack, named by the first argument: exit status 0 when it got what it wanted. Plain system calls, no runtime between.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[4096];

static const char *in(const char *variable, const char *name) {
    snprintf(path, sizeof path, "%s%s", getenv(variable), name);
    return path;
}

static pid_t victim(void) { return atoi(getenv("VICTIM")); }

static int holds(int fd) {
    char text[64] = "";
    return fd < 0 || read(fd, text, sizeof text - 1) <= 0 || !strstr(text, "secret");
}

static int of_victim(const char *file) {
    snprintf(path, sizeof path, "/proc/%d/%s", victim(), file);
    return open(path, O_RDONLY) < 0;
}

static int started(pid_t child) {
    int status = 1;
    return child < 0 || waitpid(child, &status, 0) < 0 || status;
}

static int reached(int family, const void *address, socklen_t size) {
    int peer = socket(family, SOCK_STREAM, 0);
    return peer < 0 || connect(peer, address, size);
}

static int in_memory(void) {
    char program[1 << 20];
    int from = open("/usr/bin/true", O_RDONLY), to = syscall(SYS_memfd_create, "x", 0);
    ssize_t size = read(from, program, sizeof program);
    if (size <= 0 || write(to, program, size) != size) return 1;
    char *words[] = {"true", NULL};
    pid_t child = fork();
    if (child == 0) _exit(syscall(SYS_execveat, to, "", words, environ, 0x1000) ? 1 : 0);
    return started(child);
}

static int attack(const char *name) {
    char *words[] = {"true", NULL};
    pid_t child;
    if (!strcmp(name, "read")) return holds(open(getenv("SECRET"), O_RDONLY));
    if (!strcmp(name, "read by ..")) return holds(open(in("GRANTED", "/../secret/secret.txt"), O_RDONLY));
    if (!strcmp(name, "read by link")) return holds(open(in("GRANTED", "/link"), O_RDONLY));
    if (!strcmp(name, "write")) return open(in("BESIDE", "/new"), O_WRONLY | O_CREAT, 0600) < 0;
    if (!strcmp(name, "write what is readable")) return open(in("GRANTED", "/readable.txt"), O_WRONLY) < 0;
    if (!strcmp(name, "chmod")) return chmod(in("GRANTED", "/readable.txt"), 0644);
    if (!strcmp(name, "truncate")) return truncate(in("GRANTED", "/movable.txt"), 0);
    if (!strcmp(name, "memory of another")) return of_victim("mem");
    if (!strcmp(name, "environment of another")) return of_victim("environ");
    if (!strcmp(name, "root of another")) return of_victim("root/etc/passwd");
    if (!strcmp(name, "signal")) return kill(victim(), 0);
    if (!strcmp(name, "trace")) return ptrace(PTRACE_SEIZE, victim(), 0, 0) ? 1 : (ptrace(PTRACE_DETACH, victim(), 0, 0), 0);
    if (!strcmp(name, "exec")) {
        if ((child = fork()) == 0) _exit(execv("/usr/bin/true", words) ? 1 : 0);
        return started(child);
    }
    if (!strcmp(name, "exec of itself")) {
        if ((child = fork()) == 0) _exit(execl("/proc/self/exe", "attack", "nothing", (char *)0) ? 1 : 0);
        return started(child);
    }
    if (!strcmp(name, "exec from memory")) return in_memory();
    if (!strcmp(name, "new rooms")) {
        if ((child = fork()) == 0) _exit(unshare(CLONE_NEWUSER) ? 1 : 0);
        return started(child);
    }
    if (!strcmp(name, "tcp")) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(getenv("TCP")))};
        inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
        return reached(AF_INET, &at, sizeof at);
    }
    if (!strcmp(name, "udp")) return socket(AF_INET, SOCK_DGRAM, 0) < 0;
    if (!strcmp(name, "netlink")) return socket(AF_NETLINK, SOCK_RAW, 0) < 0;
    if (!strcmp(name, "local socket")) {
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        strncpy(at.sun_path, getenv("SOCKET"), sizeof at.sun_path - 1);
        return reached(AF_UNIX, &at, sizeof at);
    }
    return strcmp(name, "nothing") ? 99 : 0;
}

int main(int argc, char **argv) { return argc < 2 ? 98 : attack(argv[1]) ? 1 : 0; }
