using System.CommandLine;
using LlmProxy.Core.Configuration;
using LlmProxy.Host.Sources;
using LlmProxy.Host.Stores;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary><c>llmproxy migrate</c>: brings the store to this version before an instance of it starts.</summary>
internal static class MigrateCommand
{
    public static Command Create()
    {
        var file = CommonOptions.Configuration();
        var command = new Command("migrate", "Makes the store, or brings it to this version. An older instance may run meanwhile.") { file };
        command.SetAction(async (parsed, cancellation) =>
        {
            var variables = new UpstreamVariables();
            var source = ConfigurationLookup.Find(parsed.GetValue(file), variables);
            if (source.Kind == SourceKind.Nothing)
            {
                throw new RefusedException("Nothing is configured. Name the configuration with --config.");
            }

            using var store = await OpenedStore.OpenAsync(LoadedConfiguration.Read(source, variables).Options.Store, isDemo: false, cancellation);
            if (store.Warning is { } warning)
            {
                throw new RefusedException(warning);
            }

            Writers.People.WriteLine(store.Kind == StoreKind.None ? "There is no store." : $"{store.File ?? "PostgreSQL"} is as this version wants it.");
            return ExitCode.Done;
        });
        return command;
    }
}
