using LlmProxy.Core.Configuration;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace LlmProxy.Core;

/// <summary>Adds LlmProxy to an application.</summary>
public static class LlmProxyHostApplicationBuilderExtensions
{
    /// <summary>Adds LlmProxy as a configuration file describes it. The file is watched, and what changes there takes effect (<see cref="LlmProxyReload"/>).</summary>
    /// <param name="builder">The application.</param>
    /// <param name="file">A path; a relative one counts from the application's content root.</param>
    /// <param name="adjust">
    /// Called with the options each time they have been read, and before they count: adds what only code knows, or refuses
    /// them by an <see cref="LlmProxyConfigurationException"/>. Default null: they are taken as written.
    /// </param>
    /// <exception cref="LlmProxyConfigurationException">The file cannot be used.</exception>
    public static IHostApplicationBuilder AddLlmProxy(this IHostApplicationBuilder builder, string file, Action<LlmProxyOptions>? adjust = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(file);
        var path = Path.GetFullPath(Path.Combine(builder.Environment.ContentRootPath, file));
        builder.Services.AddLlmProxyCore(new FileSource(path, file, adjust));
        return builder;
    }

    /// <summary>Adds LlmProxy as a section of the app's configuration describes it, and follows it when it changes (<see cref="LlmProxyReload"/>).</summary>
    /// <param name="builder">The application.</param>
    /// <param name="section">For example <c>builder.Configuration.GetSection("LlmProxy")</c>.</param>
    /// <param name="adjust">As for a file.</param>
    /// <exception cref="LlmProxyConfigurationException">The section cannot be used.</exception>
    public static IHostApplicationBuilder AddLlmProxy(this IHostApplicationBuilder builder, IConfigurationSection section, Action<LlmProxyOptions>? adjust = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(section);
        builder.Services.AddLlmProxyCore(new SectionSource(section, adjust));
        return builder;
    }

    /// <summary>Adds LlmProxy with options made in code.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="options">Not to be changed afterwards.</param>
    /// <exception cref="LlmProxyConfigurationException">The options cannot be used.</exception>
    public static IHostApplicationBuilder AddLlmProxy(this IHostApplicationBuilder builder, LlmProxyOptions options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        var problems = LlmProxyConfiguration.Validate(options);
        if (problems.Any(p => p.IsError))
        {
            throw new LlmProxyConfigurationException(LlmProxyServices.Code, problems);
        }

        builder.Services.AddLlmProxyCore(options, problems);
        return builder;
    }
}
