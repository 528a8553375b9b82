using System.Reflection;

namespace LlmProxy.Host;

/// <summary>The version of this executable.</summary>
internal static class ProductVersion
{
    /// <summary>With the revision it was built from, if the build knew it: <c>0.1.0+4f2c…</c>.</summary>
    public static string Full { get; } =
        typeof(ProductVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0";

    /// <summary>For example <c>0.1.0</c>.</summary>
    public static string Short { get; } = Full.Split('+')[0];
}
