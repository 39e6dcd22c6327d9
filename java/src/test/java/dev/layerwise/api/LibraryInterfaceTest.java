package dev.layerwise.api;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.codeUnits;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaCodeUnit;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.domain.JavaType;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import dev.layerwise.LayerwiseException;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.Losses;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What other programs see of the library. */
class LibraryInterfaceTest {
  private static final JavaClasses API =
      new ClassFileImporter().withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("dev.layerwise.api");

  @Test
  void methodsTakeAndGiveOnlyTypesOfTheLibrary() {
    codeUnits()
        .that().arePublic().and(DescribedPredicate.describe("are seen by other programs", LibraryInterfaceTest::isSeen))
        .should(
            new ArchCondition<JavaCodeUnit>("take, give and throw only types of Java and of the library") {
              @Override
              public void check(JavaCodeUnit unit, ConditionEvents events) {
                List<JavaType> types = new ArrayList<>(unit.getParameterTypes());
                types.add(unit.getReturnType());
                types.addAll(unit.getThrowsClause().getTypes());
                report(unit.getFullName(), types, events);
              }
            })
        .check(API);
    fields()
        .that().arePublic().and().areDeclaredInClassesThat().arePublic()
        .should(
            new ArchCondition<JavaField>("be of types of Java and of the library") {
              @Override
              public void check(JavaField field, ConditionEvents events) {
                report(field.getFullName(), List.of(field.getType()), events);
              }
            })
        .check(API);
  }

  private static void report(String where, List<? extends JavaType> types, ConditionEvents events) {
    types.stream()
        .flatMap(type -> type.getAllInvolvedRawTypes().stream())
        .filter(type -> !isOfTheLibrary(type))
        .forEach(type -> events.add(SimpleConditionEvent.violated(type, where + " shows " + type.getName())));
  }

  /** Public classes have what they inherit from hidden ones, too. */
  private static boolean isSeen(JavaCodeUnit unit) {
    JavaClass owner = unit.getOwner();
    return isPublic(owner) || owner.getAllSubclasses().stream().anyMatch(LibraryInterfaceTest::isPublic);
  }

  private static boolean isPublic(JavaClass type) {
    return type.getModifiers().contains(JavaModifier.PUBLIC);
  }

  private static boolean isOfTheLibrary(JavaClass type) {
    JavaClass of = type.getBaseComponentType();
    return of.isPrimitive() || of.getPackageName().startsWith("java.") || of.getName().equals(LayerwiseException.class.getName())
        || of.getPackageName().equals("dev.layerwise.api");
  }

  /** What can be chosen is what {@code config.json} and the command line know. */
  @Test
  void enumsHaveTheNamesOfTheSettings() {
    assertThat(names(LocalLoss.values())).isEqualTo(Losses.LOCAL);
    assertThat(names(UnsupervisedLoss.values())).isEqualTo(Losses.UNSUPERVISED.stream().skip(1).toList()); // after none
    assertThat(names(Optimizer.values())).isEqualTo(dev.layerwise.settings.Optimizer.RULES);
    assertThat(names(Nonlinearity.values())).isEqualTo(Architecture.NONLINEARITIES);
    assertThat(names(Precision.values())).startsWith(DeviceOptions.PRECISIONS.toArray(String[]::new)).endsWith("f64");
    for (Precision precision : Precision.values()) {
      assertThat(Precision.named(precision.toString())).isEqualTo(precision);
    }
  }

  private static List<String> names(Enum<?>[] values) {
    return Stream.of(values).map(Enum::toString).toList();
  }
}
