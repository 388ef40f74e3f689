// What browsers have and older Nodes lack. Nothing but the answers may go to stdout.
import { install } from "@moq/web-transport";

Promise.withResolvers ??= function () {
    let resolve, reject;
    const promise = new this((yes, no) => ([resolve, reject] = [yes, no]));
    return { promise, resolve, reject };
};
for (const name of ["log", "debug", "info", "warn"]) console[name] = console.error;
install();
