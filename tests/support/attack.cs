// One attack, named by the first argument: exit status 0 when it got what it wanted.
using System;
using System.Diagnostics;
using System.IO;
using System.Net.Sockets;

static class Attack {
    static string At(string name) { return Environment.GetEnvironmentVariable(name); }

    static int Main(string[] args) {
        switch (args[0]) {
            case "nothing": break;
            case "read": File.ReadAllText(At("SECRET")); break;
            case "read by ..": File.ReadAllText(At("GRANTED") + "/../secret/secret.txt"); break;
            case "read by link": File.ReadAllText(At("GRANTED") + "/link"); break;
            case "write": File.WriteAllText(At("BESIDE") + "/new", "x"); break;
            case "write what is readable": File.AppendAllText(At("GRANTED") + "/readable.txt", "x"); break;
            case "environment of another": File.ReadAllText("/proc/" + At("VICTIM") + "/environ"); break;
            case "exec": Process.Start("/usr/bin/true").WaitForExit(); break;
            case "tcp": new TcpClient("127.0.0.1", int.Parse(At("TCP"))).Close(); break;
            case "udp": new UdpClient(0).Close(); break;
            case "read what is granted": File.ReadAllText(At("GRANTED") + "/readable.txt"); break;
            case "write what is granted": File.WriteAllText(At("OUT") + "/new", "x"); break;
            default: return 99;
        }
        return 0;
    }
}
