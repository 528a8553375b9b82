namespace LlmProxy.Core;

internal static class Placeholder;
