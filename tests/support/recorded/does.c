// Does the same without an interpreter; its connection goes past the proxy.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    char text[64] = "";
    FILE *in = fopen("data/in.txt", "r");
    if (!in || !fgets(text, sizeof text, in)) return 2;
    FILE *out = fopen("out/new.txt", "w");
    if (!out || fputs(text, out) < 0 || fclose(out)) return 3;
    pid_t child = fork();
    if (child == 0) {
        execl("/usr/bin/true", "true", (char *)0);
        _exit(1);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || status) return 4;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(getenv("TASK_PORT")))};
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    int peer = socket(AF_INET, SOCK_STREAM, 0);
    if (peer < 0 || connect(peer, (struct sockaddr *)&at, sizeof at)) return 5;
    return getenv("GRANTED") ? 0 : 6;
}
