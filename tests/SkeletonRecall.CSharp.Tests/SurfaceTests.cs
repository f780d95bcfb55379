using System.Reflection;
using System.Runtime.CompilerServices;
using System.Xml.Linq;

namespace FacadeTests;

/// <summary>What the façade shows: C# types only, and every member documented.</summary>
internal static class SurfaceTests
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Assembly Facade = typeof(LabelMap).Assembly;

    internal static Test All =>
        Runner.TestList(
            "Surface",
            [
                Runner.TestCase("no type of F# and none of the core's", NoForeignTypes),
                Runner.TestCase("every public member is documented", Documented),
                Runner.TestCase("options are sealed records with init", Records),
                Runner.TestCase("it is the one that was approved", Approved),
            ]
        );

    private static IEnumerable<Type> Parts(Type type) =>
        type.HasElementType
            ? Parts(type.GetElementType()!)
            : type.GetGenericArguments().SelectMany(Parts).Prepend(type);

    private static IEnumerable<Type> Mentioned(MemberInfo member) =>
        member switch
        {
            MethodBase method => method
                .GetParameters()
                .Select(parameter => parameter.ParameterType)
                .Append((method as MethodInfo)?.ReturnType ?? typeof(void)),
            PropertyInfo property => [property.PropertyType],
            FieldInfo field => [field.FieldType],
            EventInfo happening => [happening.EventHandlerType!],
            Type nested => [nested],
            _ => [],
        };

    private static void NoForeignTypes()
    {
        var found =
            from type in Facade.GetExportedTypes()
            from mentioned in type.GetMembers(Declared)
                .SelectMany(member => Mentioned(member).Select(part => (member.Name, part)))
                .Concat(type.GetInterfaces().Append(type.BaseType ?? typeof(object)).Select(part => ("base", part)))
            from part in Parts(mentioned.Item2)
            let place = part.Namespace ?? ""
            where
                place.StartsWith("Microsoft.FSharp", StringComparison.Ordinal)
                || place is "SkeletonRecall" or "SkeletonRecall.Training" or "SkeletonRecall.Charts"
                || place.StartsWith("Plotly", StringComparison.Ordinal)
            select $"{type.Name}.{mentioned.Item1}: {part}";
        Check.Same(found, [], "foreign types");
        Check.True(Facade.GetExportedTypes().Length > 30, "there is a surface");
    }

    private static bool IsGenerated(MemberInfo member) =>
        member.IsDefined(typeof(CompilerGeneratedAttribute))
        || member is MethodInfo { IsSpecialName: true, Name: var name } && !name.StartsWith("op_");

    private static void Documented()
    {
        var document = XDocument.Load(Path.ChangeExtension(Facade.Location, ".xml"));
        var entries = document.Descendants("member").ToDictionary(entry => (string)entry.Attribute("name")!);

        bool Has(string name, Type type) =>
            entries.Keys.Any(key =>
                key == name
                || key.StartsWith(name + "(", StringComparison.Ordinal)
                || key.StartsWith(name + "``", StringComparison.Ordinal)
            )
            || entries["T:" + type.FullName]
                .Elements("param")
                .Any(parameter => name.EndsWith("." + (string)parameter.Attribute("name")!, StringComparison.Ordinal));

        string NameOf(MemberInfo member, Type type) =>
            member switch
            {
                ConstructorInfo => $"M:{type.FullName}.#ctor",
                MethodInfo => $"M:{type.FullName}.{member.Name}",
                PropertyInfo => $"P:{type.FullName}.{member.Name}",
                FieldInfo => $"F:{type.FullName}.{member.Name}",
                _ => $"T:{type.FullName}",
            };

        var missing =
            from type in Facade.GetExportedTypes()
            from name in type.GetMembers(Declared)
                .Where(member => !IsGenerated(member))
                .Where(member => !(type.IsEnum && member.Name == "value__"))
                .Where(member => !(member is ConstructorInfo made && IsImplied(type, made)))
                .Select(member => NameOf(member, type))
                .Prepend($"T:{type.FullName}")
            where name.StartsWith("T:") ? !entries.ContainsKey(name) : !Has(name, type)
            select name;
        Check.Same(missing, [], "undocumented");
    }

    // The empty constructor of an options record, and the one of a record's parameters, which its <param>s document.
    private static bool IsImplied(Type type, ConstructorInfo made) =>
        made.GetParameters().Length == 0 || type.GetMethod("<Clone>$") is not null;

    private static void Records()
    {
        var options = Facade.GetExportedTypes().Where(type => type.Name.EndsWith("Options")).ToArray();
        Check.True(options.Length >= 8, "options");
        foreach (var type in options)
        {
            Check.True(type.IsSealed && type.GetMethod("<Clone>$") is not null, type.Name);
            foreach (var property in type.GetProperties())
            {
                var modifiers = property.SetMethod!.ReturnParameter.GetRequiredCustomModifiers();
                Check.True(modifiers.Contains(typeof(IsExternalInit)), $"{type.Name}.{property.Name}");
            }
        }
    }

    // Members of the same text under different types are told apart by their type's line before them.
    private static HashSet<string> Lines(string text)
    {
        var type = "";
        var lines = new HashSet<string>();
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            type = line.StartsWith(' ') ? type : line.Split(' ').First(word => word.StartsWith("SkeletonRecall."));
            lines.Add(line.StartsWith(' ') ? $"{type}: {line.Trim()}" : line);
        }
        return lines;
    }

    private static void Approved()
    {
        var path = Path.Combine(Check.Repository(), "tests", "SkeletonRecall.CSharp.Tests", "surface.txt");
        var found = PublicSurface.Of(Facade);
        if (Environment.GetEnvironmentVariable("SKELETONRECALL_APPROVE") == "1")
        {
            File.WriteAllText(path, found);
        }
        var approved = File.ReadAllText(path).ReplaceLineEndings("\n");
        var gone = Lines(approved).Except(Lines(found)).Select(line => "- " + line);
        var came = Lines(found).Except(Lines(approved)).Select(line => "+ " + line);
        var difference = string.Join("\n", gone.Concat(came).Order(StringComparer.Ordinal));
        Check.True(
            found == approved,
            $"The public surface is another than {path} says:\n{difference}\n"
                + "If that is meant, renew the file by running these tests with SKELETONRECALL_APPROVE=1, and write the change "
                + "into CHANGELOG.md."
        );
    }
}
